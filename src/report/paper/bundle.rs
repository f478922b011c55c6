//! A study as one zip file: the report, the experiment file, the works it names, and the digests of all of it.

use crate::io::archive;
use crate::report::page::write::{File, Format, files};
use crate::report::paper::readme::{DIGESTS, EXPERIMENT, README, RESOLVED, readme};
use crate::report::rows::input::Report;
use crate::report::table::caption::{provenance, sha256_of};
use anyhow::Result;
use sha2::{Digest, Sha256};

/// What a bundle is made from beside the report.
pub struct Given {
    /// The experiment file as it is on disk.
    pub experiment: Vec<u8>,
    /// The command that makes the bundle.
    pub command: String,
}

/// The formats of a report that a bundle holds.
const FORMATS: [Format; 7] = [
    Format::Html,
    Format::Csv,
    Format::Md,
    Format::Tex,
    Format::Svg,
    Format::Pdf,
    Format::Bib,
];

/// The bytes of the zip file, the same for the same results, file and program: names in order, no times.
///
/// # Errors
/// Where the report cannot be made.
pub fn zip(report: &Report, given: &Given) -> Result<Vec<u8>> {
    let mut files = files(report, &FORMATS)?;
    files.push((EXPERIMENT.into(), given.experiment.clone()));
    files.push((RESOLVED.into(), report.resolved.as_bytes().to_vec()));
    let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.extend([DIGESTS, README]);
    names.sort();
    let text = readme(report, &given.command, &names);
    files.push((README.into(), text.into_bytes()));
    files.sort();
    files.push((DIGESTS.into(), digests(report, &files).into_bytes()));
    files.sort();
    archive::zip(&files)
}

/// The sha256 of each file as `sha256sum` writes and checks them, then of what the results rest on, in lines that it passes
/// over: those files are not in the bundle.
fn digests(report: &Report, files: &[File]) -> String {
    let mut text =
        String::from("# sha256 of the files in this folder; to check: sha256sum -c digests.txt\n");
    for (name, bytes) in files {
        let digest: String = Sha256::digest(bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        text += &format!("{digest}  {name}\n");
    }
    text += "#\n# What the results rest on: checkpoints, references, feature nets and images, where they were read\n";
    for fact in provenance(report.rows) {
        for digest in fact.values.iter().filter_map(|(value, _)| sha256_of(value)) {
            let name: String = fact.name.chars().filter(|c| !c.is_control()).collect();
            text += &format!("# {digest}  {name}\n");
        }
    }
    text
}
