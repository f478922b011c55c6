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
        // Whether a report is up to date; it is written again where that is not known.
        _ if path
            .parent()
            .is_some_and(|folder| folder.ends_with("reports")) =>
        {
            Role::Aside
        }
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

/// Harms every file of a study; how many files there are, how many damages that makes, and how many of them the next
/// sweep says.
fn every_file(net: Net, seeds: u64) -> [usize; 3] {
    let whole = Study::of(net, seeds);
    whole.sweep();
    let table = whole.table();
    let desk = Study::of(net, seeds);
    let (mut files, mut damages, mut said) = (0, 0, 0);
    for file in whole.files() {
        files += 1;
        for (k, harm) in HARMS.into_iter().enumerate() {
            desk.take_store(&whole);
            let path = desk.store().join(&file);
            let role = role(&path, fs::metadata(&path).expect("a file").len());
            harm.to(&path, files as u64 * 4 + k as u64);
            verify_finds(&desk, &file, harm);
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
            if role == Role::Sized && !found {
                the_repair_makes_it_again(&desk, &file, &table);
            }
            if role != Role::Aside {
                desk.runner(&["verify"]).succeeds();
            }
            damages += 1;
            said += usize::from(told);
        }
    }
    [files, damages, said]
}

/// `runner verify` names the file; only a log, and a bit in a job's text that says the same, are as good as before.
fn verify_finds(desk: &Study, file: &Path, harm: Harm) {
    let answer = desk.runner(&["verify"]).run();
    let what = format!(
        "{harm:?} {}\n{}{}",
        file.display(),
        answer.stdout,
        answer.stderr
    );
    let found = answer.stdout.contains(&*file.to_string_lossy());
    if file.ends_with("job.toml") && harm == Harm::Flipped {
        assert_eq!(answer.code, Some(i32::from(found)), "{what}");
        return;
    }
    let unread = file.ends_with("log.txt") || file.starts_with("reports");
    assert_eq!(found, !unread, "{what}");
    assert_eq!(answer.code, Some(i32::from(found)), "{what}");
}

fn the_repair_makes_it_again(desk: &Study, file: &Path, table: &str) {
    let name = file.display();
    let answer = desk.runner(&["verify", "--repair"]).succeeds();
    let mended = format!("{name} was damaged (its sha256 begins with ");
    answer.says(&mended);
    assert!(!desk.store().join(file).exists(), "{name}");
    desk.sweep();
    assert!(desk.store().join(file).exists(), "{name}");
    assert!(desk.table() == table, "the table differs after {name}");
}

#[test]
fn every_file_of_a_study_that_samples_a_net() {
    let [files, damages, said] = every_file(Net::Shipped, 2);
    assert_eq!((files, damages, said), (37, 148, 72));
}

#[test]
fn every_file_of_a_study_that_trains_a_net() {
    let [files, damages, said] = every_file(Net::Trained, 1);
    assert_eq!((files, damages, said), (27, 108, 50));
}
