//! Sets of images as other programs write them: told by content, read, or refused with a cure that fits.

use crate::support::files::{refusal, stranger, tar_of, zip_of};
use fidrunner::data::gallery::Gallery;
use fidrunner::data::left_out::Reason;
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::data::source::{Augment, Source};
use fidrunner::io::image::file::encode_png;
use std::fs;
use std::path::Path;
use zip::CompressionMethod;

fn open(path: &Path) -> Gallery {
    Gallery::open(&[path.to_str().unwrap()]).unwrap()
}

fn source(path: &Path) -> Source {
    Source::open(path.to_str().unwrap(), Stream::Train, 8).unwrap()
}

fn labels(source: &Source) -> Vec<Option<u32>> {
    let labels = (0..source.len().unwrap()).map(|i| source.get(i, Augment::default()));
    labels.map(|example| example.unwrap().label).collect()
}

fn names(gallery: &Gallery) -> Vec<String> {
    let name = |i| {
        let name = gallery.name(i);
        let (_, inside) = name.split_once("strangers_files/").unwrap();
        inside.split_once('/').unwrap().1.to_string()
    };
    (0..gallery.len()).map(name).collect()
}

#[test]
fn hard_links_of_a_tar_are_the_files_that_they_name() {
    let path = stranger("hard-links.tar");
    let gallery = open(&path);
    assert_eq!(
        names(&gallery),
        [
            "cat/000.png",
            "cat/000b.png",
            "cat/002.png",
            "cat/004.png",
            "dog/001.png",
            "dog/001b.png",
            "dog/003.png",
            "dog/005.png"
        ]
    );
    for (link, file) in [(0, 1), (5, 4)] {
        assert_eq!(gallery.digest(link).unwrap(), gallery.digest(file).unwrap());
    }
    assert_ne!(gallery.digest(0).unwrap(), gallery.digest(2).unwrap());
    assert!(gallery.left_out().is_empty());
    assert_eq!(source(&path).classes(), ["cat", "dog"]);
}

#[test]
fn tars_of_before_posix_are_read() {
    let gallery = open(&stranger("v7.tar"));
    assert_eq!(gallery.len(), 9);
    let image = gallery.read(8).unwrap();
    assert_eq!((image.w, image.h), (32, 32));
    assert_eq!(names(&gallery)[8], "8.JPEG");
}

#[test]
fn a_tar_of_tars_has_a_class_for_each() {
    let path = stranger("train.tar");
    let gallery = open(&path);
    let all = names(&gallery);
    assert!(all[0].starts_with("n01440764/"), "{all:?}");
    assert!(gallery.left_out().is_empty());
    let set = source(&path);
    assert_eq!(set.classes(), ["n01440764", "n01443537"]);
    let second = |name: &String| name.starts_with("n01443537/");
    let wanted: Vec<Option<u32>> = all.iter().map(|n| Some(u32::from(second(n)))).collect();
    assert_eq!(labels(&set), wanted);
    // The same bytes as in the inner archives by themselves.
    let whole = fs::read(&path).unwrap();
    for i in 0..gallery.len() {
        let image = gallery.read(i).unwrap();
        assert!(image.w > 0 && image.h > 0);
    }
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.tar");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let why = refusal(Gallery::open(&[cut.to_str().unwrap()]));
    assert!(why.contains("truncated"), "{why}");
}

#[test]
fn zips_are_read_by_every_common_method_or_refused_with_a_cure() {
    let gallery = open(&stranger("bzip2.zip"));
    assert_eq!(gallery.len(), 9);
    let image = gallery.read(8).unwrap();
    assert_eq!((image.w, image.h), (32, 32));

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zip");
    let png = encode_png(&Scene::of(Stream::Train, 1).render(8), 8, 8).unwrap();
    // One block of Deflate64 that holds its bytes as they are.
    let n = png.len() as u16;
    let mut block = vec![1];
    block.extend(n.to_le_bytes());
    block.extend((!n).to_le_bytes());
    block.extend(&png);
    zip_of(&path, CompressionMethod::Stored, [("0.png", &png)]);
    let sums = fs::read(&path).unwrap()[14..18].to_vec();
    zip_of(&path, CompressionMethod::Stored, [("0.png", &block)]);
    let plain = fs::read(&path).unwrap();
    let central = plain.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let with = |patches: &[(usize, &[u8])]| {
        let mut bytes = plain.clone();
        for (at, patch) in patches {
            // A field of the local header lies two bytes further on in the central one.
            for at in [*at, central + at + 2] {
                bytes[at..at + patch.len()].copy_from_slice(patch);
            }
        }
        fs::write(&path, bytes).unwrap();
        Gallery::open(&[path.to_str().unwrap()])
    };
    let size = (png.len() as u32).to_le_bytes();
    let deflate64 = with(&[(8, &[9, 0]), (14, &sums), (22, &size)]).unwrap();
    assert_eq!(
        deflate64.read(0).unwrap().data,
        Scene::of(Stream::Train, 1).render(8)
    );
    for (patch, said) in [
        ((8, &[14, 0][..]), "1 of its 1 entries are packed by LZMA, "),
        ((8, &[98, 0]), "packed by PPMd, "),
        ((8, &[77, 0]), "packed by method 77, "),
        ((6, &[1, 0]), "encrypted, "),
    ] {
        let why = refusal(with(&[patch]));
        assert!(
            why.contains(said) && why.contains("\nhint: unpack it"),
            "{why}"
        );
        assert!(!why.contains("convert"), "{why}");
    }
}

#[test]
fn pictures_are_told_by_their_content() {
    let dir = tempfile::tempdir().unwrap();
    let jpeg = fs::read(stranger("picture.jfif")).unwrap();
    let png = fs::read(stranger("picture.png")).unwrap();
    let mut bmp =
        b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    bmp.extend([0; 24]);
    bmp.extend([1, 2, 3, 0]);
    let files: Vec<(&str, &[u8])> = vec![
        ("a.jfif", &jpeg),
        ("b.jif", &jpeg),
        ("c.jpe", &jpeg),
        ("d.apng", &png),
        ("e", &jpeg),
        ("f.jpg.1", &jpeg),
        ("g.PNG", &jpeg),
        ("h.dib", &bmp),
        ("i.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"),
        ("j.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("k", b"II*\0\x08\0\0\0"),
        ("l.dat", b"P6\n1 1\n255\n123"),
        ("list.txt", b"BM is how a bitmap begins, and this text"),
        ("numbers.npz", b"PK\x03\x04"),
        ("empty", b""),
    ];
    let folder = dir.path().join("set");
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in &files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    tar_of(&dir.path().join("set.tar"), files.clone());
    zip_of(
        &dir.path().join("set.zip"),
        CompressionMethod::Deflated,
        files.clone(),
    );
    let right = fidrunner::io::image::file::read(&stranger("picture.png")).unwrap();
    for name in ["set", "set.tar", "set.zip"] {
        let gallery = open(&dir.path().join(name));
        assert_eq!(gallery.len(), 8, "{name}");
        for i in 0..7 {
            assert!(gallery.read(i).unwrap() == right, "{}", gallery.name(i));
        }
        assert_eq!(gallery.read(7).unwrap().data, [3, 2, 1]);
        let left_out = gallery.left_out();
        for kind in ["AVIF", "HEIC", "TIFF", "PPM"] {
            assert_eq!(left_out.count(Reason::Unread(kind)), 1, "{name} {kind}");
        }
        assert_eq!(left_out.count(Reason::NoPicture), 3);
        let told = left_out.told("samples").unwrap();
        assert!(
            told.contains("1 AVIF picture (") && told.contains("\nhint: PNG, JPEG"),
            "{told}"
        );
        let json = serde_json::to_value(&left_out).unwrap();
        assert_eq!(json["AVIF"]["count"], 1);
        let first = json["no-picture"]["first"].as_array().unwrap();
        assert_eq!(first.len(), 3);
        assert!(first[0].as_str().unwrap().ends_with("/empty"));
    }
}

#[test]
fn a_set_without_pictures_says_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let why = |files: &[(&str, &[u8])]| {
        let folder = tempfile::tempdir_in(dir.path()).unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        refusal(Gallery::open(&[folder.path().to_str().unwrap()]))
    };
    assert!(why(&[]).ends_with("it holds no pictures: it is empty"));
    let avif = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1";
    let text = why(&[("a.avif", avif), ("b.avif", avif)]);
    assert!(
        text.contains("it holds 2 pictures of kind AVIF (a.avif, b.avif)\nhint: PNG, JPEG"),
        "{text}"
    );
    let text = why(&[("part0.npz", b"PK\x03\x04"), ("part1.npz", b"PK\x03\x04")]);
    assert!(
        text.contains("2 files that are no pictures (part0.npz, part1.npz)\nhint: an archive"),
        "{text}"
    );
    let text = why(&[(".images/a.png", b"\x89PNG\r\n\x1a\n")]);
    assert!(
        text.contains("1 hidden file or folder (.images/)\nhint: what begins with a dot"),
        "{text}"
    );
    let text = why(&[("bad.jpg", b"no"), ("a.tif", b"II*\0")]);
    assert!(
        text.contains("2 of 2 files are no pictures that are read: a.tif, bad.jpg; among them 1 TIFF picture (a.tif)"),
        "{text}"
    );
}

#[test]
fn files_of_other_kinds_are_told_by_kind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    for (head, said) in [
        (&b"BZh91AY"[..], "`bunzip2`"),
        (b"\xfd7zXZ\0", "`unxz`"),
        (b"\x28\xb5\x2f\xfd", "`unzstd`"),
        (b"7z\xbc\xaf\x27\x1c", "`7z x`"),
        (b"Rar!\x1a\x07\0", "`unrar x`"),
        (b"\x89PNG\r\n\x1a\n", "it is one picture (PNG)"),
        (b"GIF89a", "it is one picture (GIF)"),
        (b"text", "it is no data that is read"),
    ] {
        fs::write(&path, head).unwrap();
        let why = refusal(Gallery::open(&[path.to_str().unwrap()]));
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn arrays_of_other_shapes_get_the_call_that_makes_pictures_of_them() {
    use crate::support::files::npy;
    use fidrunner::io::numpy::npz::{self, Array};
    let dir = tempfile::tempdir().unwrap();
    let (npy_file, npz_file) = (dir.path().join("a.npy"), dir.path().join("a.npz"));
    for (shape, cure) in [
        (&[2, 3, 5, 5][..], "x.transpose(0, 2, 3, 1)"),
        (&[2, 5, 5, 1], "x.repeat(3, axis=-1)"),
        (&[2, 5, 5, 4], "x[..., :3]"),
        (&[2, 1, 5, 5], "x.transpose(0, 2, 3, 1).repeat(3, axis=-1)"),
        (&[2, 4, 5, 5], "x[:, :3].transpose(0, 2, 3, 1)"),
        (&[7, 5, 5], "x[..., None].repeat(3, axis=-1)"),
        (&[2, 2, 4, 4, 3], "x.reshape(-1, 4, 4, 3)"),
    ] {
        let bytes = vec![7; shape.iter().product()];
        let text: Vec<String> = shape.iter().map(usize::to_string).collect();
        let text = format!("({})", text.join(", "));
        fs::write(&npy_file, npy("|u1", false, &text, &bytes)).unwrap();
        npz::write(&npz_file, &[("arr_0", Array::u8(shape, bytes))]).unwrap();
        for path in [&npy_file, &npz_file] {
            let why = refusal(Gallery::open(&[path.to_str().unwrap()]));
            assert!(why.contains(&format!("\nhint: save `{cure}`: ")), "{why}");
        }
    }
    fs::write(&npy_file, npy("|u1", false, "(21,)", &[0; 21])).unwrap();
    let why = refusal(Gallery::open(&[npy_file.to_str().unwrap()]));
    assert!(why.contains("[21]") && !why.contains("hint"), "{why}");
}
