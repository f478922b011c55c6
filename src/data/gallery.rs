//! The images of an evaluation, from one or several folders and archives, each of its own size, cropped only where that is asked for.

pub use crate::data::container::archive::Unreadable;
use crate::data::container::open::Container;
use crate::data::labels::balance::{Balance, Spread};
use crate::data::labels::dataset_json;
use crate::data::labels::given::Given;
use crate::data::left_out::LeftOut;
use crate::data::resize::crop::Crop;
use crate::io::image::file::{Decoded, Rgb8};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::Path;

/// An open set of images; reading is by index, from any thread.
pub struct Gallery {
    parts: Vec<Part>,
    len: usize,
    /// How images are cropped, to how many pixels a side; none leaves them as they are.
    crop: Option<(Crop, usize)>,
}

struct Part {
    spec: String,
    /// Images in the parts before this one.
    start: usize,
    container: Container,
}

impl Gallery {
    /// Opens folders (with all below them, sorted by path), tar and zip archives, npz batches (`arr_0`) and npy stacks,
    /// one after the other. Pictures are told by their first bytes. Files that begin none and have a picture's ending are
    /// an error that names them (`Unreadable` has all); whatever else is no image of the set is left out, and
    /// [`left_out`](Gallery::left_out) says so. pytorch-fid and torch-fidelity by default look into a folder but not below
    /// it, and no evaluator reads GIFs: here both count, so that no image is left out unsaid.
    pub fn open<S: AsRef<str>>(specs: &[S]) -> Result<Gallery> {
        ensure!(
            !specs.is_empty(),
            "no images are named: folders, tar, zip, npz and npy files are"
        );
        let mut gallery = Gallery {
            parts: Vec::new(),
            len: 0,
            crop: None,
        };
        for spec in specs {
            let spec = spec.as_ref();
            let container =
                Container::open(Path::new(spec)).with_context(|| format!("reading {spec}"))?;
            let start = gallery.len;
            gallery.len += container.len();
            gallery.parts.push(Part {
                spec: spec.trim_end_matches('/').to_string(),
                start,
                container,
            });
        }
        Ok(gallery)
    }

    /// The same images, made `side` by `side`.
    pub fn cropped(self, crop: Crop, side: usize) -> Gallery {
        Gallery {
            crop: Some((crop, side)),
            ..self
        }
    }

    /// The first `count` images.
    pub fn first(self, count: usize) -> Gallery {
        Gallery {
            len: self.len.min(count),
            ..self
        }
    }

    /// What lies in the collections beside these images, by reason; names as [`name`](Gallery::name) gives them.
    pub fn left_out(&self) -> LeftOut {
        let mut all = LeftOut::default();
        for part in &self.parts {
            all.extend(&part.spec, &part.container.left_out());
        }
        all
    }

    /// Images; at least one.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: an empty collection cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Image `i`, decoded to RGB as Pillow's `convert("RGB")` does; an error names the file.
    pub fn read(&self, i: usize) -> Result<Rgb8> {
        Ok(self.read_noted(i)?.image)
    }

    /// As `read`, with what the pixels no longer tell.
    pub fn read_noted(&self, i: usize) -> Result<Decoded> {
        let (part, inside) = self.place(i)?;
        let mut decoded = part.container.read(inside)?;
        if let Some((crop, side)) = self.crop {
            decoded.image = Rgb8 {
                w: side,
                h: side,
                data: crop.square(decoded.image, side),
            };
        }
        Ok(decoded)
    }

    /// sha256 of image `i` as it is stored, undecoded, and of the crop.
    pub fn digest(&self, i: usize) -> Result<[u8; 32]> {
        let (part, inside) = self.place(i)?;
        let stored = part.container.digest(inside)?;
        Ok(match self.crop {
            None => stored,
            Some((crop, side)) => {
                let way: &[u8] = match crop {
                    Crop::Adm => b"",
                    Crop::Edm => b"edm",
                };
                Sha256::digest([&stored[..], &side.to_le_bytes(), way].concat()).into()
            }
        })
    }

    /// Where image `i` lies: `folder/a.png`, `images.tar/a.png` or `batch.npz[7]`.
    pub fn name(&self, i: usize) -> String {
        match self.place(i) {
            Ok((part, inside)) => part.container.name(&part.spec, inside),
            Err(_) => format!("image {i}"),
        }
    }

    /// How many images there are of each class: as `arr_1` of arrays has them, else as class folders do.
    pub fn labels(&self) -> Option<Spread> {
        let mut balance = Balance::default();
        for part in &self.parts {
            match &part.container {
                Container::Archive(archive) => balance.add_paths(&archive.paths),
                Container::Batch(batch) => {
                    balance.add_labels(&part.spec, batch.labels(), batch.len());
                }
            }
        }
        balance.spread()
    }

    /// The images in the natural order of their names: 2 before 10. Sets are read in the order of their bytes, by which what
    /// is stored of them is named.
    pub fn natural_order(&self) -> Vec<usize> {
        let names: Vec<String> = (0..self.len).map(|i| self.name(i)).collect();
        let mut order: Vec<usize> = (0..self.len).collect();
        order.sort_by(|&a, &b| alphanumeric_sort::compare_str(&names[a], &names[b]));
        order
    }

    /// The collections in order: the path that each was opened by, which of the images it holds, and what it says of their
    /// classes.
    ///
    /// # Errors
    /// A `dataset.json` that cannot be read.
    pub fn collections(&self) -> Result<Vec<(&str, Range<usize>, Given)>> {
        let parts = self.parts.iter().map(|part| {
            let labels = match &part.container {
                Container::Batch(batch) => Given::of_array(batch.labels()),
                Container::Archive(archive) => {
                    let json = archive
                        .labels()
                        .with_context(|| format!("reading {}", part.spec))?;
                    Given::of_files(json.as_deref(), &archive.paths)
                        .with_context(|| format!("reading {}", part.spec))?
                }
            };
            let images = part.start..part.start + part.container.len();
            Ok((part.spec.as_str(), images, labels))
        });
        parts.collect()
    }

    /// The path that each collection was opened by, and the first of its images.
    pub fn starts(&self) -> Vec<(&str, usize)> {
        let parts = self.parts.iter();
        parts.map(|part| (part.spec.as_str(), part.start)).collect()
    }

    /// As [`natural_order`](Gallery::natural_order), each collection by itself and one after the other; arrays as they are.
    pub fn order_within_collections(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len).collect();
        for part in &self.parts {
            if let Container::Archive(archive) = &part.container {
                let end = (part.start + archive.paths.len()).min(self.len);
                let path = |i: usize| &archive.paths[i - part.start];
                order[part.start.min(end)..end]
                    .sort_by(|&a, &b| alphanumeric_sort::compare_str(path(a), path(b)));
            }
        }
        order
    }

    /// The label of each image where every collection gives them: `arr_1` of arrays, `dataset.json` of archives and folders.
    ///
    /// # Errors
    /// A `dataset.json` that cannot be read.
    pub fn given_labels(&self) -> Result<Option<Vec<u32>>> {
        let mut all = Vec::new();
        for part in &self.parts {
            let labels = match &part.container {
                Container::Batch(batch) => (0..batch.len()).map(|i| batch.label(i)).collect(),
                Container::Archive(archive) => match archive.labels()? {
                    Some(json) => dataset_json::read(&json, &archive.paths)?.and_then(|l| l.labels),
                    None => None,
                },
            };
            match labels {
                Some(labels) => all.extend::<Vec<u32>>(labels),
                None => return Ok(None),
            }
        }
        all.truncate(self.len);
        Ok(Some(all))
    }

    fn place(&self, i: usize) -> Result<(&Part, usize)> {
        ensure!(i < self.len, "image {i} is asked, there are {}", self.len);
        let after = self.parts.partition_point(|part| part.start <= i);
        let part = &self.parts[after - 1];
        Ok((part, i - part.start))
    }
}
