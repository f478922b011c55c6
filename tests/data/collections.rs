//! What a set of images is, whether it lies in a folder, a tar or a zip: links, hidden names, and whatever else lies about.

use crate::support::files::refusal;
use fidrunner::data::gallery::Gallery;
use fidrunner::data::left_out::Reason;
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::data::source::{Augment, Source};
use fidrunner::io::image::file::encode_png;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use zip::write::SimpleFileOptions;

/// A picture of its own for every number.
fn picture(k: u64) -> Vec<u8> {
    encode_png(&Scene::of(Stream::Validation, k).render(8), 8, 8).unwrap()
}

/// A member of a collection: bytes, or a link with its target.
#[derive(Clone)]
enum Member {
    File(Vec<u8>),
    Link(&'static str),
}

type Members = Vec<(&'static str, Member)>;

fn write_folder(root: &Path, members: &Members) {
    for (path, member) in members {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match member {
            Member::File(bytes) => fs::write(path, bytes).unwrap(),
            Member::Link(target) => symlink(target, path).unwrap(),
        }
    }
}

fn write_tar(path: &Path, members: &Members) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    for (name, member) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match member {
            Member::File(bytes) => {
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, name, &bytes[..]).unwrap();
            }
            Member::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                tar.append_link(&mut header, name, target).unwrap();
            }
        }
    }
    tar.finish().unwrap();
}

fn write_zip(path: &Path, members: &Members) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default();
    for (name, member) in members {
        match member {
            Member::File(bytes) => {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
            Member::Link(target) => zip.add_symlink(*name, *target, options).unwrap(),
        }
    }
    zip.finish().unwrap();
}

/// The same members in a folder, a tar and a zip.
fn everywhere(root: &Path, members: &Members) -> [Gallery; 3] {
    write_folder(&root.join("set"), members);
    write_tar(&root.join("set.tar"), members);
    write_zip(&root.join("set.zip"), members);
    ["set", "set.tar", "set.zip"].map(|name| open(&root.join(name)))
}

fn open(path: &Path) -> Gallery {
    Gallery::open(&[path.to_str().unwrap()]).unwrap()
}

/// The images' names within the collection.
fn names(gallery: &Gallery) -> Vec<String> {
    let inside = |name: String| {
        let (_, inside) = name.split_once("/set").unwrap();
        inside.split_once('/').unwrap().1.to_string()
    };
    (0..gallery.len())
        .map(|i| inside(gallery.name(i)))
        .collect()
}

fn count(gallery: &Gallery, reason: Reason) -> usize {
    gallery.left_out().count(reason)
}

#[test]
fn links_are_followed_wherever_a_set_lies() {
    use Member::{File, Link};
    let dir = tempfile::tempdir().unwrap();
    let members = vec![
        // A chain whose first link comes before the second, and that before the file.
        ("a/1.png", Link("../b/2.png")),
        ("b/2.png", Link("./../c//3.png")),
        ("c/3.png", File(picture(3))),
        // A folder, through which a link leads back to a file of another.
        ("d", Link("e/f")),
        ("e/f/4.png", File(picture(4))),
        ("e/f/5.png", Link("../../c/3.png")),
        ("6.png", Link("d/4.png")),
        // Circles: of links, and of a folder that a link in it leads back to.
        ("e/round", Link("../e")),
        ("7.png", Link("8.png")),
        ("8.png", Link("7.png")),
        // To nothing, by a picture's name and by another.
        ("9.png", Link("nowhere.png")),
        ("latest", Link("c/3.png/x")),
        // What a link calls by a plain name counts, wherever it leads.
        ("10.png", Link(".cache/blob")),
        (".cache/blob", File(picture(10))),
        (".#notes.txt", Link("nowhere")),
    ];
    let wanted = [
        ("10.png", 10),
        ("6.png", 4),
        ("a/1.png", 3),
        ("b/2.png", 3),
        ("c/3.png", 3),
        ("d/4.png", 4),
        ("d/5.png", 3),
        ("e/f/4.png", 4),
        ("e/f/5.png", 3),
    ];
    for gallery in everywhere(dir.path(), &members) {
        assert_eq!(names(&gallery), wanted.map(|(name, _)| name));
        for (i, (name, k)) in wanted.iter().enumerate() {
            let pixels = Scene::of(Stream::Validation, *k).render(8);
            assert_eq!(gallery.read(i).unwrap().data, pixels, "{name}");
        }
        assert_eq!(count(&gallery, Reason::Loop), 3);
        assert_eq!(count(&gallery, Reason::Dangling), 2);
        assert_eq!(count(&gallery, Reason::Hidden), 2);
        let told = gallery.left_out().told("set").unwrap();
        assert!(
            told.contains("2 links to nothing (") && told.contains("/9.png, "),
            "{told}"
        );
    }
}

#[test]
fn links_out_of_an_archive_are_told_and_not_followed() {
    use Member::{File, Link};
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside.png");
    fs::write(&outside, picture(1)).unwrap();
    let absolute: &'static str = String::leak(outside.display().to_string());
    let members = vec![
        ("a/0.png", File(picture(0))),
        ("a/1.png", Link(absolute)),
        ("a/2.png", Link("../../outside.png")),
    ];
    let [folder, tar, zip] = everywhere(dir.path(), &members);
    // On disk a link may lead anywhere: sets are made of links.
    assert_eq!((folder.len(), count(&folder, Reason::Outside)), (3, 0));
    for gallery in [tar, zip] {
        assert_eq!((gallery.len(), count(&gallery, Reason::Outside)), (1, 2));
        let told = gallery.left_out().told("set").unwrap();
        assert!(
            told.contains("\nhint: pack what the links lead to"),
            "{told}"
        );
    }
}

#[test]
fn hard_links_lead_to_what_came_before_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.tar");
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    let mut add = |name: &str, kind: tar::EntryType, target: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        if target.is_empty() {
            tar.append_data(&mut header, name, bytes).unwrap();
        } else {
            tar.append_link(&mut header, name, target).unwrap();
        }
    };
    use tar::EntryType::{Link, Regular, Symlink};
    add("a/0.png", Regular, "", &picture(0));
    add("1.png", Link, "./a/0.png", b"");
    // A link to a link, to a symbolic link, to a later member, to nothing.
    add("2.png", Link, "1.png", b"");
    add("3.png", Symlink, "a/4.png", b"");
    add("b/3.png", Link, "3.png", b"");
    add("5.png", Link, "a/4.png", b"");
    add("6.png", Link, "nowhere.png", b"");
    add("a/4.png", Regular, "", &picture(4));
    tar.finish().unwrap();
    let gallery = open(&path);
    assert_eq!(
        names(&gallery),
        ["1.png", "2.png", "3.png", "a/0.png", "a/4.png"]
    );
    let pixels = |k| Scene::of(Stream::Validation, k).render(8);
    for (i, k) in [0, 0, 4, 0, 4].into_iter().enumerate() {
        assert_eq!(gallery.read(i).unwrap().data, pixels(k), "{i}");
    }
    // As hard links of one file, `b/3.png` and `3.png` have one target: seen from `b` there is no `a/4.png`.
    assert_eq!(count(&gallery, Reason::Dangling), 3);
}

#[test]
fn folders_of_links_to_each_other_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut members = vec![("z/x.png", Member::File(picture(0)))];
    // Every folder leads twice to the next: 2^30 ways to one picture.
    let next = |k: usize| match k {
        29 => "../z".to_string(),
        k => format!("../{}", k + 1),
    };
    for k in 0..30 {
        for twin in ["a", "b"] {
            let path: &'static str = String::leak(format!("{k}/{twin}"));
            members.push((path, Member::Link(String::leak(next(k)))));
        }
    }
    let path = dir.path().join("set.tar");
    write_tar(&path, &members);
    let why = refusal(Gallery::open(&[path.to_str().unwrap()]));
    assert!(why.contains("more than 16 times the files"), "{why}");
}

#[test]
fn hidden_names_are_no_images_and_no_classes() {
    let dir = tempfile::tempdir().unwrap();
    let mut members: Members = vec![
        (".DS_Store", Member::File(b"Bud1".to_vec())),
        (".Trash-1000/files/old.png", Member::File(picture(90))),
        (".ipynb_checkpoints/grid.png", Member::File(picture(91))),
        (".thumbnails/000.png", Member::File(picture(92))),
        (
            "__MACOSX/cat/._000.png",
            Member::File(b"\0\x05\x16\x07".to_vec()),
        ),
        ("cat/.ipynb_checkpoints/0.png", Member::File(picture(93))),
        ("cat/.ipynb_checkpoints/1.png", Member::File(picture(94))),
        ("Thumbs.db", Member::File(b"\xd0\xcf\x11\xe0".to_vec())),
        ("desktop.ini", Member::File(b"BMW is no bitmap".to_vec())),
    ];
    for k in 0..12 {
        let folder = ["cat", "dog"][k as usize % 2];
        let path = String::leak(format!("{folder}/{k:03}.png"));
        members.push((path, Member::File(picture(k))));
    }
    for gallery in everywhere(dir.path(), &members) {
        assert_eq!(gallery.len(), 12);
        assert_eq!(count(&gallery, Reason::Hidden), 6);
        assert_eq!(count(&gallery, Reason::NoPicture), 2);
        let told = gallery.left_out().told("set").unwrap();
        for part in [
            "set: left out are 6 hidden files and folders (",
            "/.ipynb_checkpoints/, ..), ",
            "2 files that are no pictures (",
            "/desktop.ini)",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }
    for name in ["set", "set.tar", "set.zip"] {
        let path = dir.path().join(name);
        let source = Source::open(path.to_str().unwrap(), Stream::Train, 8).unwrap();
        assert_eq!(source.classes(), ["cat", "dog"]);
        assert_eq!(source.get(6, Augment::default()).unwrap().label, Some(1));
        assert_eq!(source.remarks().len(), 1);
    }
}

#[test]
fn names_that_are_not_utf8_are_read_and_stay_apart() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    let paths = [&b"\xe4/1.png"[..], b"\xe4/2.png", b"\xf6/1.png"];
    let mut tar = tar::Builder::new(File::create(dir.path().join("set.tar")).unwrap());
    for (k, path) in paths.iter().enumerate() {
        let path = Path::new(OsStr::from_bytes(path));
        let bytes = picture(k as u64);
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), &bytes).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    tar.finish().unwrap();
    for name in ["set", "set.tar"] {
        let path = dir.path().join(name);
        let gallery = open(&path);
        assert_eq!(
            names(&gallery),
            ["\\xe4/1.png", "\\xe4/2.png", "\\xf6/1.png"]
        );
        for k in 0..3 {
            let pixels = Scene::of(Stream::Validation, k).render(8);
            assert_eq!(gallery.read(k as usize).unwrap().data, pixels);
        }
        let source = Source::open(path.to_str().unwrap(), Stream::Train, 8).unwrap();
        assert_eq!(source.classes(), ["\\xe4", "\\xf6"]);
    }
}

#[test]
fn what_is_neither_file_nor_folder_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    write_folder(&root, &vec![("0.png", Member::File(picture(0)))]);
    let _socket = UnixListener::bind(root.join("1.png")).unwrap();
    let gallery = open(&root);
    assert_eq!((gallery.len(), count(&gallery, Reason::Special)), (1, 1));
}

/// Root may read everything: the rule itself is tested beside its code, in `in_folder`.
#[test]
fn what_may_not_be_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("set");
    let file = |k| Member::File(picture(k));
    write_folder(
        &root,
        &vec![("0.png", file(0)), ("1.png", file(1)), ("a/2.png", file(2))],
    );
    let allow = |name: &str, mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.join(name), mode).unwrap();
    };
    allow("1.png", 0o000);
    allow("a", 0o000);
    let may_all = File::open(root.join("1.png")).is_ok();
    let gallery = open(&root);
    let seen = (gallery.len(), count(&gallery, Reason::Forbidden));
    allow("a", 0o700);
    assert_eq!(seen, if may_all { (3, 0) } else { (1, 2) });
}

#[test]
fn a_later_member_of_a_tar_replaces_one_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.tar");
    let file = |k| Member::File(picture(k));
    write_tar(
        &path,
        &vec![("0.png", file(0)), ("1.png", file(1)), ("0.png", file(2))],
    );
    let gallery = open(&path);
    assert_eq!((gallery.len(), count(&gallery, Reason::Replaced)), (2, 1));
    let pixels = Scene::of(Stream::Validation, 2).render(8);
    assert_eq!(gallery.read(0).unwrap().data, pixels);
}
