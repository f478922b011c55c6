//! Random pictures beside Pillow's reading of them: `PYTHON=… cargo bench --bench pictures -- --seconds 600 --seed 1`.
//! Pillow and NumPy make files of every kind that is read, with the options that Pillow has and some of its own, damaged
//! in a third of them; ours is to read the same bytes of `convert("RGB")`, or to refuse what Pillow refuses. Files that
//! differ are kept in `target/pictures`, and the exit status is then 1. `--only N` makes one picture again.

use anyhow::{Context, Result, bail, ensure};
use fidrunner::io::image::file::{self, Rgb8};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Where files that differ are kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures");

/// What the script says of a picture.
#[derive(Deserialize)]
struct About {
    format: String,
    what: String,
    damage: Option<String>,
    /// Pillow does not write such a file.
    #[serde(default)]
    unwritten: bool,
    bytes: usize,
    /// The format that Pillow takes it for.
    #[serde(rename = "as")]
    taken: Option<String>,
    #[serde(default)]
    w: usize,
    #[serde(default)]
    h: usize,
    refused: Option<String>,
}

/// What libjpeg may use in Pillow. Where a broken block's values leave their range, its SIMD and its scalar code differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Instructions {
    Simd,
    Scalar,
}

struct Pillow {
    name: String,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Pillow {
    fn start(seed: u64, instructions: Instructions) -> Result<Pillow> {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let mut command = Command::new(&python);
        if instructions == Instructions::Scalar {
            command.env("JSIMD_FORCENONE", "1");
        }
        let mut child = command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/benches/peers/pictures.py"
            ))
            .arg(seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {python}"))?;
        let requests = child.stdin.take().context("no pipe")?;
        let mut answers = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut name = String::new();
        answers.read_line(&mut name)?;
        ensure!(!name.is_empty(), "{python} has no NumPy and Pillow");
        Ok(Pillow {
            name: name.trim().to_string(),
            child,
            requests,
            answers,
        })
    }

    /// Picture `number`: what it is, its file, and the RGB that Pillow reads of it.
    fn picture(&mut self, number: u64) -> Result<(About, Vec<u8>, Option<Rgb8>)> {
        writeln!(self.requests, "{number}")?;
        self.requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let about: About = serde_json::from_str(&line).context("the script ended")?;
        let mut file = vec![0; about.bytes];
        self.answers.read_exact(&mut file)?;
        if about.unwritten || about.refused.is_some() {
            return Ok((about, file, None));
        }
        let mut data = vec![0; 3 * about.w * about.h];
        self.answers.read_exact(&mut data)?;
        let (w, h) = (about.w, about.h);
        Ok((about, file, Some(Rgb8 { w, h, data })))
    }
}

impl Drop for Pillow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Equal,
    BothRefuse,
    Differs,
    /// As Pillow with `Instructions::Scalar`, in a damaged JPEG.
    Scalar,
    OursAlone,
    PillowAlone,
    /// Damage made it a file of a kind that is not read.
    OtherKind,
    Unwritten,
}

/// Pictures by outcome.
type Counts = [usize; 8];

fn compare(about: &About, file: &[u8], theirs: Option<&Rgb8>) -> (Outcome, String) {
    if about.unwritten {
        return (Outcome::Unwritten, String::new());
    }
    let foreign = about
        .taken
        .as_deref()
        .is_some_and(|kind| !["JPEG", "MPO", "PNG", "WEBP", "BMP"].contains(&kind));
    match (file::decode(file), theirs) {
        (Ok(ours), Some(theirs)) if ours == *theirs => (Outcome::Equal, String::new()),
        (Ok(ours), Some(theirs)) => (Outcome::Differs, difference(&ours, theirs)),
        (Ok(_), None) => (
            Outcome::OursAlone,
            about.refused.clone().unwrap_or_default(),
        ),
        (Err(_), Some(_)) if foreign => (Outcome::OtherKind, String::new()),
        (Err(why), Some(_)) => (Outcome::PillowAlone, format!("{why:#}")),
        (Err(_), None) => (Outcome::BothRefuse, String::new()),
    }
}

fn difference(ours: &Rgb8, theirs: &Rgb8) -> String {
    if (ours.w, ours.h) != (theirs.w, theirs.h) {
        return format!("{}x{}, Pillow {}x{}", ours.w, ours.h, theirs.w, theirs.h);
    }
    let apart = ours.data.iter().zip(&theirs.data);
    let apart = apart.map(|(a, b)| a.abs_diff(*b));
    let most = apart.clone().max().unwrap_or(0);
    let count = apart.filter(|d| *d > 0).count();
    format!("{count} of {} bytes, by up to {most}", ours.data.len())
}

fn keep(number: u64, about: &About, file: &[u8]) -> Result<PathBuf> {
    std::fs::create_dir_all(KEPT)?;
    let name = format!("{number}.{}", about.format.to_lowercase());
    let path = Path::new(KEPT).join(name);
    std::fs::write(&path, file)?;
    Ok(path)
}

struct Arguments {
    seconds: u64,
    seed: u64,
    only: Option<u64>,
}

fn arguments() -> Result<Arguments> {
    let mut given = Arguments {
        seconds: 10,
        seed: 1,
        only: None,
    };
    let mut rest = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(name) = rest.next() {
        let value = rest
            .next()
            .with_context(|| format!("{name} has no value"))?;
        let value: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--seconds" => given.seconds = value,
            "--seed" => given.seed = value,
            "--only" => given.only = Some(value),
            _ => bail!("{name} is none of --seconds, --seed and --only"),
        }
    }
    Ok(given)
}

fn main() -> Result<()> {
    let given = arguments()?;
    let mut pillow = Pillow::start(given.seed, Instructions::Simd)?;
    let mut scalar = Pillow::start(given.seed, Instructions::Scalar)?;
    println!("beside {}, seed {}", pillow.name, given.seed);
    let end = Instant::now() + Duration::from_secs(given.seconds);
    let mut counts: BTreeMap<(String, bool), Counts> = BTreeMap::new();
    let numbers = given.only.map_or(0..u64::MAX, |n| n..n + 1);
    for number in numbers {
        if Instant::now() > end {
            break;
        }
        let (about, file, theirs) = pillow.picture(number)?;
        let (mut outcome, why) = compare(&about, &file, theirs.as_ref());
        if outcome == Outcome::Differs && about.format == "JPEG" && about.damage.is_some() {
            let (about, _, theirs) = scalar.picture(number)?;
            if compare(&about, &file, theirs.as_ref()).0 == Outcome::Equal {
                outcome = Outcome::Scalar;
            }
        }
        let key = (about.format.clone(), about.damage.is_some());
        counts.entry(key).or_default()[outcome as usize] += 1;
        let differs = match outcome {
            Outcome::Differs => "differs",
            Outcome::OursAlone => "ours alone reads it",
            Outcome::PillowAlone => "Pillow alone reads it",
            _ if given.only.is_some() => "kept",
            _ => continue,
        };
        let path = keep(number, &about, &file)?;
        let damage = about.damage.as_deref().unwrap_or("whole");
        println!(
            "{} ({damage}; {}): {differs}: {why}",
            path.display(),
            about.what
        );
    }
    report(&counts)
}

fn report(counts: &BTreeMap<(String, bool), Counts>) -> Result<()> {
    let names = [
        "equal",
        "refused",
        "differ",
        "as scalar",
        "ours alone",
        "Pillow alone",
        "other kind",
        "unwritten",
    ];
    print!("{:<14}", "");
    names.iter().for_each(|name| print!(" {name:>12}"));
    println!();
    let mut wrong = 0;
    for ((format, damaged), row) in counts {
        print!(
            "{format:<5} {:<8}",
            if *damaged { "damaged" } else { "whole" }
        );
        row.iter().for_each(|count| print!(" {count:>12}"));
        println!();
        let bad = [Outcome::Differs, Outcome::OursAlone, Outcome::PillowAlone];
        wrong += bad.iter().map(|o| row[*o as usize]).sum::<usize>();
    }
    ensure!(
        wrong == 0,
        "{wrong} pictures are read otherwise than by Pillow"
    );
    Ok(())
}
