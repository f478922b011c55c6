//! Every file of a small store, cut, emptied, changed by a bit and removed, one at a time: the next sweep finds what it
//! reads damaged, says so, makes it again, and ends with the same table to the last byte.

use crate::study::{Net, Study};
use std::fs;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Cut,
    Emptied,
    Flipped,
    Removed,
}

const HARMS: [Harm; 4] = [Harm::Cut, Harm::Emptied, Harm::Flipped, Harm::Removed];

impl Harm {
    /// Does it to the file; `n` chooses the bit.
    fn to(self, path: &Path, n: u64) {
        let mut bytes = fs::read(path).expect("a file");
        assert!(!bytes.is_empty(), "{} is empty", path.display());
        match self {
            Harm::Cut => bytes.truncate(bytes.len() / 2),
            Harm::Emptied => bytes.clear(),
            Harm::Flipped => {
                // A multiplier of Knuth's spreads the places over the file.
                let place = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                let at = (place % (bytes.len() as u64 * 8)) as usize;
                bytes[at / 8] ^= 1 << (at % 8);
            }
            Harm::Removed => return fs::remove_file(path).expect("a file to remove"),
        }
        fs::write(path, bytes).expect("a file to write");
    }
}

/// Whether the next sweep, which has only a report to make, must say something of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It is read or its digest is looked at.
    Read,
    /// Its size is looked at; its bytes only before a job reads them.
    Sized,
    /// For people, or kept twice: no result depends on it.
    Aside,
}

fn role(path: &Path, bytes: u64) -> Role {
    let name = path.file_name().expect("a name").to_string_lossy();
    match name.as_ref() {
        "job.toml" | "log.txt" | "log.csv" | ".copy.json" | "progress.json" => Role::Aside,
        "manifest.json" | "scores.json" | "influences.npz" | "checkpoints.json" => Role::Read,
        name if name.starts_with("images-") => Role::Read,
        name if name.starts_with("features-") || name.ends_with(".safetensors") => {
            if bytes > 16 << 10 {
                Role::Sized
            } else {
                Role::Read
            }
        }
        name => panic!("{name} has no role yet"),
    }
}

/// How many of the damages were said.
fn every_file(net: Net) -> [usize; 3] {
    let whole = Study::new(net);
    whole.sweep();
    let table = whole.table();
    let desk = Study::new(net);
    let (mut files, mut damages, mut said) = (0, 0, 0);
    for file in whole.files() {
        files += 1;
        for (k, harm) in HARMS.into_iter().enumerate() {
            desk.take_store(&whole);
            let path = desk.store().join(&file);
            let role = role(&path, fs::metadata(&path).expect("a file").len());
            harm.to(&path, files as u64 * 4 + k as u64);
            let answer = desk.sweep();
            let what = format!("{harm:?} {}\n{}", file.display(), answer.stderr);
            assert!(desk.table() == table, "the table differs: {what}");
            let told = answer.stderr.contains(&*file.to_string_lossy());
            let found = match role {
                Role::Read => true,
                Role::Sized => harm != Harm::Flipped,
                Role::Aside => false,
            };
            assert_eq!(told, found, "{what}");
            let again = desk.sweep();
            assert!(
                again.stderr.contains("jobs are stored"),
                "{what}{}",
                again.stderr
            );
            assert!(desk.table() == table, "the second table differs: {what}");
            damages += 1;
            said += usize::from(told);
        }
    }
    [files, damages, said]
}

#[test]
fn every_file_of_a_study_that_samples_a_net() {
    let [files, damages, said] = every_file(Net::Shipped);
    assert_eq!((files, damages, said), (0, 0, 0));
}

#[test]
fn every_file_of_a_study_that_trains_a_net() {
    let [files, damages, said] = every_file(Net::Trained);
    assert_eq!((files, damages, said), (0, 0, 0));
}
