//! Pickles written to harm: every one is an error that says why, soon and in little memory.

use crate::support::pickles::*;
use candle_core::Device;
use fidrunner::io::checkpoint::Checkpoint;
use std::fs;
use std::time::{Duration, Instant};

/// Opens the legacy file of `body` with one storage `k` of 6 floats, 0 to 5.
fn open(body: &[u8], keys: &[&str]) -> anyhow::Result<Checkpoint> {
    let mut bytes = legacy(body, keys);
    if !keys.is_empty() {
        bytes.extend(6u64.to_le_bytes());
        bytes.extend((0..6).flat_map(|i| (i as f32).to_le_bytes()));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pt");
    fs::write(&path, bytes).unwrap();
    let start = Instant::now();
    let opened = Checkpoint::open(&path);
    assert!(start.elapsed() < Duration::from_secs(5));
    opened
}

fn why(body: &[u8]) -> String {
    let error = open(body, &[]).err();
    format!("{:#}", error.expect("an error"))
}

/// The error of one tensor `t` with these offset, shape and strides.
fn why_tensor(count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> String {
    let body = dict(&[(
        "t",
        tensor("FloatStorage", "k", count, offset, shape, strides),
    )]);
    let error = open(&body, &["k"]).err();
    format!("{:#}", error.expect("an error"))
}

#[test]
fn calls_of_anything_else_are_refused_by_name() {
    let shell = tuple(&[unicode("touch /tmp/evil_ran")]);
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("numpy", "load"),
        ("", ""),
    ] {
        let named = format!("it names `{module}.{name}`");
        let told = why(&call(global(module, name), shell.clone()));
        assert!(
            told.contains(&named) && told.contains("nothing of it was run"),
            "{told}"
        );
        let stacked = [unicode(module), unicode(name), vec![0x93]].concat();
        let told = why(&call(stacked, shell.clone()));
        assert!(told.contains(&named), "{told}");
    }
    assert!(
        why(&call(unicode("os.system"), shell.clone()))
            .contains("something that is no name is called")
    );
    assert!(why(&call(global("torch", "Size"), unicode("x"))).contains("called with no tuple"));
    for op in [
        b"i" as &[u8],
        b"o",
        b"P0\n",
        b"I1\n",
        b"\x82\x01",
        b"\x97",
        b"\xff",
    ] {
        assert!(
            why(op).contains("its pickle is refused at byte 2"),
            "{op:?}"
        );
    }
}

#[test]
fn values_that_hold_each_other_have_an_end() {
    // d = {}; d["d"] = d
    let cycle = [b"}q\x00", &unicode("d")[..], b"h\x00s"].concat();
    assert!(why(&cycle).contains("more than 32 deep"), "{}", why(&cycle));
    let list = b"]q\x00h\x00a";
    assert!(why(list).contains("it holds no tensors"), "{}", why(list));
    // Each of 30 dictionaries holds the one before twice.
    let mut sharing = b"}q\x00".to_vec();
    for k in 1..=30u8 {
        let last = [b'h', k - 1];
        sharing.extend(dict(&[("a", last.to_vec()), ("b", last.to_vec())]));
        sharing.extend([b'q', k]);
    }
    assert!(
        why(&sharing).contains("more than 1048576 values"),
        "{}",
        why(&sharing)
    );
    // A parameter of itself.
    let parameter = global("torch._utils", "_rebuild_parameter");
    let own = [&parameter[..], b"]q\x00h\x00aR"].concat();
    assert!(why(&own).contains("called with no tuple"), "{}", why(&own));
}

#[test]
fn depth_costs_nothing() {
    let deep = [b"]".repeat(100_000), b"a".repeat(99_999)].concat();
    assert!(why(&deep).contains("it holds no tensors"));
    let dicts = [unicode("d"), b"}".to_vec()].concat().repeat(1000);
    let deep = [b"}", &dicts[..], &b"s".repeat(1000)].concat();
    assert!(why(&deep).contains("more than 32 deep"));
    assert!(why(&b"(".repeat(1 << 16)).contains("a value is missing"));
    assert!(why(&b"N".repeat(5 << 20)).contains("more than the 4194304 steps"));
}

#[test]
fn claimed_lengths_take_no_memory() {
    let ended = "its pickle has no end\nhint: the file may be truncated";
    let large = [
        [b"\x8b", &u32::MAX.to_le_bytes()[..]].concat(),
        [b"X", &u32::MAX.to_le_bytes()[..]].concat(),
        [b"\x8d", &u64::MAX.to_le_bytes()[..]].concat(),
        [b"\x8e", &u64::MAX.to_le_bytes()[..]].concat(),
        [b"\x96", &(1u64 << 40).to_le_bytes()[..]].concat(),
    ];
    for body in large {
        assert!(why(&body).ends_with(ended), "{}", why(&body));
    }
    // Integers of 255 bytes are passed over; a frame's length means nothing.
    let wide = [b"\x8a\xff", &[0x7f; 255][..]].concat();
    let frame = [b"\x95", &u64::MAX.to_le_bytes()[..], b"}"].concat();
    let body = dict(&[("wide", wide), ("frame", frame)]);
    assert!(why(&body).contains("it holds no tensors: keys = wide, frame"));
    let line = [b"c", &b"a".repeat(5000)[..]].concat();
    assert!(why(&line).contains("a name is longer than 1024 bytes"));
    // One list of pairs, made a dictionary over and over.
    let pair = [unicode("a"), unicode("b"), b"\x86".to_vec()].concat();
    let pairs = [b"](", &pair.repeat(4096)[..], b"eq\x00"].concat();
    let more = call(global("collections", "OrderedDict"), b"h\x00\x85".to_vec()).repeat(2000);
    assert!(why(&[pairs, more].concat()).contains("its dictionaries are too large"));
}

#[test]
fn broken_instructions_are_errors() {
    for (body, expected) in [
        (&b"h\x09"[..], "it remembers nothing as 9"),
        (b"0", "a value is missing"),
        (b"t", "a mark is missing"),
        (b"(0", "a value is missing"),
        (b"N(Na", "a value is missing"),
        (b"NNa", "values are put into what holds none"),
        (b"}(Nu", "a key has no value"),
        (b"NNb", "a state is given to what has none"),
        (b"X\x01\x00\x00\x00\xff", "a text is not UTF-8"),
        (b"\x80\x09", "it has protocol 9, 2 to 5 are read"),
    ] {
        assert!(why(body).contains(expected), "{}", why(body));
    }
}

#[test]
fn views_stay_in_their_storages() {
    for (count, offset, shape, strides, expected) in [
        (
            6,
            0,
            &[7][..],
            &[1][..],
            "reaches beyond its storage of 24 bytes",
        ),
        (6, 4, &[3], &[1], "reaches beyond its storage"),
        (6, 0, &[3, 2], &[3, 1], "reaches beyond its storage"),
        (6, 0, &[1 << 62, 8], &[8, 1], "is too large"),
        (6, i64::MAX, &[1], &[1], "its offset is too large"),
        (6, 0, &[3], &[i64::MAX], "reaches beyond its storage"),
        (6, 0, &[3, 3], &[1, 1], "reaches beyond its storage"),
        (6, -1, &[1], &[1], "its offset is wrong: -1 is below 0"),
        (6, 0, &[6], &[-1], "its strides are wrong: -1 is below 0"),
        (6, 0, &[-6], &[1], "its shape is wrong: -6 is below 0"),
        (6, 0, &[6], &[1, 1], "has 1 dimensions and 2 strides"),
        (6, 0, &[3], &[0], "repeats its elements"),
        (
            5,
            0,
            &[5],
            &[1],
            "storage `k` has 6 elements, 5 are claimed",
        ),
        (-1, 0, &[1], &[1], "a storage is described wrongly"),
        (i64::MAX, 0, &[1], &[1], "storage `k` is too large"),
        (
            1 << 40,
            0,
            &[1],
            &[1],
            "reaches beyond the end\nhint: the file may be truncated",
        ),
    ] {
        let told = why_tensor(count, offset, shape, strides);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn storages_may_be_shared_but_must_be_there() {
    let of = |key, kind, offset, shape: &[i64], strides: &[i64]| {
        tensor(kind, key, 6, offset, shape, strides)
    };
    let body = dict(&[
        ("head", of("k", "FloatStorage", 0, &[4], &[1])),
        ("tail", of("k", "FloatStorage", 2, &[4], &[1])),
        ("odd", of("k", "FloatStorage", 1, &[3], &[2])),
        ("turned", of("k", "FloatStorage", 0, &[3, 2], &[1, 3])),
        ("none", of("k", "FloatStorage", 6, &[2, 0, 3], &[0, 3, 1])),
    ]);
    let file = open(&body, &["k"]).unwrap();
    let value = |name: &str| {
        let tensor = file.tensor(name, &Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(value("head"), [0., 1., 2., 3.]);
    assert_eq!(value("tail"), [2., 3., 4., 5.]);
    assert_eq!(value("odd"), [1., 3., 5.]);
    assert_eq!(value("turned"), [0., 3., 1., 4., 2., 5.]);
    assert!(value("none").is_empty());
    let told = |items: &[(&str, Vec<u8>)], keys: &[&str]| {
        let error = open(&dict(items), keys).err();
        format!("{:#}", error.expect("an error"))
    };
    let one = || of("k", "FloatStorage", 0, &[1], &[1]);
    let other = ("b", of("elsewhere", "FloatStorage", 0, &[1], &[1]));
    assert!(
        told(&[("a", one()), other], &["k"]).contains("storage `elsewhere` is not in the file")
    );
    let other = ("b", of("k", "DoubleStorage", 0, &[1], &[1]));
    assert!(told(&[("a", one()), other], &["k"]).contains("described twice, differently"));
    assert!(told(&[("a", one())], &["k", "z"]).contains("storage `z` has no tensor"));
    assert!(told(&[("a", one()), ("a", one())], &["k"]).contains("tensor `a` is there twice"));
    let none = call(
        global("torch._utils", "_rebuild_tensor_v2"),
        tuple(&[b"N".to_vec(), int(0), ints(&[]), ints(&[])]),
    );
    assert!(told(&[("a", none)], &[]).contains("tensor `a`: it has no storage"));
    let loose = [unicode("storage"), b"Q".to_vec()].concat();
    assert!(told(&[("a", loose)], &[]).contains("a storage is described wrongly"));
}
