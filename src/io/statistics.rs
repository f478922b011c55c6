//! Reference statistics as the evaluators write them: npz (ADM, pytorch-fid, TTUR, clean-fid, EDM, ours), pickles (EDM2)
//! and torch files (torch-fidelity), told apart by content.

use crate::io::disk;
use crate::io::numpy::npz::{self, Array, Npz};
use crate::io::pickle::array;
use crate::io::pickle::values::{Id, Node, Pickle};
use crate::io::torch::file;
use crate::io::torch::legacy;
use crate::io::torch::opened::{Opened, PICKLE_LIMIT, Storage};
use crate::io::torch::zip::{self, Contents};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Whose format a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// OpenAI's evaluator: spatial statistics too, and often images.
    Adm,
    /// `mu` and `sigma` alone: pytorch-fid, TTUR, clean-fid and EDM write the same.
    Plain,
    /// A pickle of statistics by the name of their features.
    Edm2,
    /// A torch file.
    TorchFidelity,
    /// `runner reference`.
    Runner,
}

/// Which statistics of a file that holds several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// `fid` without one.
    pub key: Option<&'a str>,
    /// The command's flag that gives the key, for hints; none where it has no such flag.
    pub flag: Option<&'static str>,
}

/// The moments of a reference set.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    pub producer: Producer,
    /// Mean of the features `[d]`.
    pub mu: Vec<f64>,
    /// Their covariance [d, d], row-major, symmetric.
    pub sigma: Vec<f64>,
    /// Mean and covariance of spatial features, where the file has them.
    pub mu_s: Option<Vec<f64>>,
    pub sigma_s: Option<Vec<f64>>,
    /// Images behind the moments, where the file says.
    pub count: Option<u64>,
    /// The name of the features, where a file holds several: `fid`, `fd_dinov2`.
    pub key: Option<String>,
}

impl Statistics {
    /// Reads a file of any of the formats; of several statistics `fid`. NaN, infinities, wrong shapes and covariances
    /// that are not symmetric are errors.
    pub fn read(path: &Path) -> Result<Statistics> {
        Statistics::read_which(path, Which::default())
    }

    /// As `read`, of the statistics that `key` names in a file of several, such as `fd_dinov2`; for commands that take it
    /// as `--key`.
    pub fn read_key(path: &Path, key: Option<&str>) -> Result<Statistics> {
        let flag = Some("--key");
        Statistics::read_which(path, Which { key, flag })
    }

    /// As `read`, of which statistics of a file of several.
    pub fn read_which(path: &Path, which: Which) -> Result<Statistics> {
        read(path, which).with_context(|| format!("reading {}", path.display()))
    }
}

/// Features [n, d] of a reference set: clean-fid's `_kid.npz` (`feats`), dgm-eval's (`reps`), ours (`features`).
pub fn features(path: &Path) -> Result<Array<Vec<f32>>> {
    let mut file = Npz::open(path)?;
    let names = ["feats", "reps", "features"];
    let Some(name) = names.into_iter().find(|name| file.has(name)) else {
        bail!(
            "{} holds no features: it has {}, features are `feats`, `reps` or `features`",
            path.display(),
            file.names().join(", ")
        );
    };
    let array = file.f32(name)?;
    let [n, d] = array.shape[..] else {
        bail!(
            "{}: `{name}` is {:?}, features are [n, d]",
            path.display(),
            array.shape
        );
    };
    ensure!(n > 0 && d > 0, "{}: `{name}` is empty", path.display());
    Ok(array)
}

/// What a file is by its first bytes and, in a zip, by the names in it; its own name says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A zip of NumPy arrays.
    Npz,
    /// A single NumPy array.
    Npy,
    /// Either container of torch.
    Torch,
    Pickle,
    Other,
}

impl Container {
    /// Tells what the file at `path` is.
    ///
    /// # Errors
    /// A file that cannot be read, and a zip that is broken.
    pub fn of(path: &Path) -> Result<Container> {
        let told = File::open(path)
            .map_err(Into::into)
            .and_then(|file| head(&file));
        let (container, _) = told.with_context(|| format!("reading {}", path.display()))?;
        Ok(container)
    }
}

/// The container and the first bytes that tell it.
fn head(file: &File) -> Result<(Container, Vec<u8>)> {
    ensure!(file.metadata()?.is_file(), "it is not a file");
    let mut head = vec![0; file.metadata()?.len().min(16) as usize];
    file.read_exact_at(&mut head, 0)?;
    let container = if head.starts_with(b"PK\x03\x04") {
        match zip::contents(file)? {
            Contents::Torch => Container::Torch,
            Contents::Arrays => Container::Npz,
            Contents::Neither => Container::Other,
        }
    } else if head.starts_with(b"\x93NUMPY") {
        Container::Npy
    } else if legacy::recognise(&head) {
        Container::Torch
    } else if head.first() == Some(&0x80) {
        Container::Pickle
    } else {
        Container::Other
    };
    Ok((container, head))
}

fn read(path: &Path, which: Which) -> Result<Statistics> {
    let key = which.key;
    let file = File::open(path)?;
    let (container, head) = head(&file)?;
    if container == Container::Npz {
        ensure!(
            key.is_none(),
            "key = {} is asked, and an npz holds one set of statistics",
            key.unwrap_or_default()
        );
        return of_npz(path);
    }
    if let Some(opened) = file::open(&file, &head)? {
        let mut found = of_pickle(&file, opened, which)?;
        found.producer = Producer::TorchFidelity;
        return Ok(found);
    }
    if container == Container::Pickle {
        let opened = Opened {
            container: "pickle",
            source: disk::read_bounded(path, PICKLE_LIMIT)?,
            place: Box::new(|storage: &Storage| {
                bail!("storage `{}` lies outside the file", storage.key)
            }),
        };
        return of_pickle(&file, opened, which);
    }
    bail!(
        "it is no file of statistics: npz, pickles and torch files with `mu` and `sigma` are read"
    )
}

fn of_npz(path: &Path) -> Result<Statistics> {
    let mut file = Npz::open(path)?;
    if !file.has("mu") || !file.has("sigma") {
        let names = file.names();
        let hint = if names
            .iter()
            .any(|n| n == "feats" || n == "reps" || n == "arr_0")
        {
            "\nhint: it holds features or images, from which statistics can be made"
        } else {
            ""
        };
        bail!(
            "it has no `mu` and `sigma`, it has `{}`{hint}",
            names.join("`, `")
        );
    }
    let (mu, sigma) = file.moments("mu", "sigma")?;
    let (mut mu_s, mut sigma_s) = (None, None);
    if file.has("mu_s") && file.has("sigma_s") {
        let (mean, cov) = file.moments("mu_s", "sigma_s")?;
        (mu_s, sigma_s) = (Some(mean), Some(cov));
    }
    let count = if file.has("count") {
        file.i64("count")?.data.first().copied()
    } else {
        None
    };
    let producer = if file.has("meta") {
        Producer::Runner
    } else if file.has("mu_s") {
        Producer::Adm
    } else {
        Producer::Plain
    };
    Ok(Statistics {
        producer,
        mu,
        sigma,
        mu_s,
        sigma_s,
        count: count.map(images).transpose()?,
        key: None,
    })
}

fn of_pickle(file: &File, mut opened: Opened, which: Which) -> Result<Statistics> {
    let pickle = Pickle::read(&opened.source)?;
    let root = pickle.root();
    let (at, key) = choose(&pickle, which)?;
    let mut numbers = |name: &str| -> Result<Array<Vec<f64>>> {
        let id = pickle.get(at, name);
        let id = id.with_context(|| format!("it has no `{name}`"))?;
        if let Some(arguments) = file::tensor_arguments(&pickle, id) {
            let tensor = file::tensor(&pickle, name, arguments, &mut opened.place)?;
            let data = tensor.read(file)?;
            let shape = tensor.shape;
            return Ok(Array { shape, data });
        }
        let array = array::array(&pickle, id).with_context(|| format!("`{name}`"))?;
        array.with_context(|| format!("`{name}` is no array"))
    };
    let (mu, sigma) = (numbers("mu")?, numbers("sigma")?);
    let (mu, sigma) = npz::moments("mu", "sigma", mu, sigma)?;
    let count = pickle.get(root, "num_images");
    let count = count.map(|id| array::integer(&pickle, id));
    let producer = match key {
        Some(_) => Producer::Edm2,
        None => Producer::Plain,
    };
    Ok(Statistics {
        producer,
        mu,
        sigma,
        mu_s: None,
        sigma_s: None,
        count: count.transpose()?.flatten().map(images).transpose()?,
        key,
    })
}

/// The dictionary that holds `mu` and `sigma`: the whole, or one of several by its key.
fn choose(pickle: &Pickle, Which { key, flag }: Which) -> Result<(Id, Option<String>)> {
    let root = pickle.root();
    let whole = |id: Id| pickle.get(id, "mu").is_some() && pickle.get(id, "sigma").is_some();
    let Node::Dict(items) = pickle.node(root) else {
        bail!("it is no dictionary with `mu` and `sigma`");
    };
    if whole(root) {
        ensure!(
            key.is_none(),
            "key = {} is asked, and it holds one set of statistics",
            key.unwrap_or_default()
        );
        return Ok((root, None));
    }
    let named = |&(name, value): &(Id, Id)| {
        let name = pickle.text(name).filter(|_| whole(value))?;
        Some((name, value))
    };
    let groups: Vec<(&str, Id)> = items.iter().filter_map(named).collect();
    let wanted = key.unwrap_or("fid");
    let found = groups.iter().rev().find(|(name, _)| *name == wanted);
    let Some(&(name, id)) = found else {
        let names: Vec<&str> = groups.iter().map(|(name, _)| *name).take(12).collect();
        match (names.as_slice(), key) {
            ([], _) => bail!("it has no `mu` and `sigma`, and no dictionary that has"),
            ([only], None) => return Ok((groups[0].1, Some(only.to_string()))),
            _ => bail!(
                "it has no statistics `{wanted}`, it has `{}`{}",
                names.join("`, `"),
                flag.map_or(String::new(), |flag| format!(
                    "\nhint: pass `{flag} {}`",
                    names[0]
                ))
            ),
        }
    };
    Ok((id, Some(name.to_string())))
}

fn images(count: i64) -> Result<u64> {
    u64::try_from(count).with_context(|| format!("it claims {count} images"))
}
