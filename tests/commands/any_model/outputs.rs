//! What a program may leave as its images, and what it is told.

use crate::any_model::study::{Study, sampled};
use fidrunner::io::numpy::npz::Npz;

/// A sampler in Python of the standard library that runs `body`, whose images are two pixels of one colour.
fn sampler(body: &str) -> String {
    format!(
        r#"import os, struct, sys, zlib
out = sys.argv[1]
def png(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + bytes([value] * 6))) + chunk(b"IEND", b""))
def npy(path, shape, data):
    head = str(dict(descr="|u1", fortran_order=False, shape=shape)).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
{body}
"#
    )
}

fn study(body: &str, more: &str) -> Study {
    let command = r#"["python3", "make.py", "{out}"]"#;
    let study = Study::of(&sampled(command, more));
    study.write("make.py", &sampler(body));
    study
}

/// The first value of each stored image, and the labels.
fn stored(study: &Study) -> (Vec<u8>, Vec<i64>) {
    let results = study.results("sample");
    let part = results[0].join("images-000000-000003.npz");
    let mut npz = Npz::open(&part).unwrap();
    let pixels = npz.u8("arr_0").unwrap();
    assert_eq!(pixels.shape, [3, 1, 2, 3]);
    let firsts = pixels.data.chunks(6).map(|image| image[0]).collect();
    (firsts, npz.i64("arr_1").unwrap().data)
}

#[test]
fn pictures_come_in_the_natural_order_of_their_names() {
    let study = study("for i in [2, 10, 9]: png(f'{out}/{i}.png', i)", "count = 3");
    study.sweep(&[]).succeeds();
    assert_eq!(stored(&study), (vec![2, 9, 10], vec![0, 0, 0]));
}

#[test]
fn a_pattern_chooses_among_what_is_there() {
    let body = "for i in range(3): png(f'{out}/run/{i}.png', i); png(f'{out}/grid-{i}.png', 100)";
    let study = study(body, "count = 3\ncollect = \"*/*.png\"");
    study.sweep(&[]).succeeds();
    assert_eq!(stored(&study).0, [0, 1, 2]);
    let none = self::study(body, "count = 3\ncollect = \"*.jpg\"");
    none.sweep(&[])
        .ends_with(1)
        .says("no file that it wrote fits `collect`");
}

#[test]
fn one_array_file_is_taken_and_two_are_asked_about() {
    let body = "npy(out + '/a.npy', (3, 1, 2, 3), bytes(range(18)))";
    let one = study(body, "count = 3");
    one.sweep(&[]).succeeds();
    assert_eq!(stored(&one).0, [0, 6, 12]);
    let two = study(
        &format!("{body}\n{}", body.replace("/a.", "/b.")),
        "count = 3",
    );
    two.sweep(&[])
        .ends_with(1)
        .says("it wrote 2 array files: a.npy, b.npy")
        .says("hint: say which with `collect`");
    let chosen = study(
        &format!("{body}\n{}", body.replace("/a.", "/b.")),
        "count = 3\ncollect = \"b.npy\"",
    );
    chosen.sweep(&[]).succeeds();
}

#[test]
fn labels_are_read_from_a_csv_or_json_beside_the_images() {
    let images = "for i in range(3): png(f'{out}/{i}.png', i)\n";
    let csv = "open(out + '/labels.csv', 'w').write('name,label\\n0.png,5\\n2.png,7\\n1.png,6\\n')";
    let json = "open(out + '/labels.json', 'w').write('[5, 6, 7]')";
    let named =
        "open(out + '/labels.json', 'w').write('{\"2.png\": 7, \"0.png\": 5, \"1.png\": 6}')";
    for labels in [csv, json, named] {
        let study = study(&format!("{images}{labels}"), "count = 3");
        study.sweep(&[]).succeeds();
        assert_eq!(stored(&study).1, [5, 6, 7], "{labels}");
    }
    let short = study(
        &format!("{images}open(out + '/labels.json', 'w').write('[5]')"),
        "count = 3",
    );
    short
        .sweep(&[])
        .ends_with(1)
        .says("it has 1 labels for 3 images");
}

#[test]
fn all_values_of_a_cell_are_in_the_file_config() {
    let body = "import json\nconfig = json.load(open(sys.argv[2]))\nfor i in range(3): png(f'{out}/{i}.png', config['vars']['level'] + config['sample']['seed'])";
    let command = r#"["python3", "make.py", "{out}", "{config}"]"#;
    let more = "count = 3\nseed = 4\n[vars]\nlevel = 1\n[grid]\nvars.level = [10, 20]";
    let study = Study::of(&sampled(command, more));
    study.write("make.py", &sampler(body));
    study.sweep(&["--only", "vars.level=20"]).succeeds();
    assert_eq!(stored(&study).0, [24, 24, 24]);
    study.sweep(&[]).succeeds().says("1 of 2 jobs to run");
}

#[test]
fn a_command_sees_no_more_of_the_environment_than_it_is_given() {
    let body = "names = sorted(os.environ)\nprint('sees', [n for n in names if n in ('SECRET', 'SHOWN', 'MADE')], os.environ.get('MADE'))\nfor i in range(3): png(f'{out}/{i}.png', i)";
    let more = "count = 3\npass = [\"SHOWN\"]\nenv = { MADE = \"{seed}-x\" }";
    let study = study(body, more);
    let sweep = study.sweep(&[]).env("SECRET", "1").env("SHOWN", "1");
    sweep.succeeds();
    let log = study.log("sample");
    assert!(log.contains("| sees ['MADE', 'SHOWN'] 0-x"), "{log}");
}
