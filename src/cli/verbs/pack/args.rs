//! What `runner pack` is asked.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_long_help = "\
A source is a folder (with all below it), a tar, a zip, an npz (`arr_0`) or an npy. Sources are packed in the order in which
they are named; the pictures of a folder or an archive in the natural order of their paths (img2 before img10). All images
must be of one size. Memory holds a part of the images at a time, however many there are.

x.npz is as guided-diffusion's scripts write theirs: `arr_0` u8 [n, height, width, 3], `arr_1` int64 [n] where there are
labels. x.tar holds a PNG an image, and the labels as EDM's `dataset.json`. Other evaluators read the npz; `runner score`,
`runner reference` and the training read both.

Labels are those of `dataset.json` or `arr_1`, else the class folders of a source: folders called by numbers are these
numbers, others are numbered from 0 in the order of their names, over all sources. Names of files are no labels. Where some
sources have labels and others do not, nothing is written: give labels to all with --labels, or to none with --no-labels.

--labels takes a CSV of lines `file,label`, or of one label a line in the order of packing (a line of headings may stand
above), or as JSON `dataset.json`'s {\"labels\": [[file, label], ..]}, {file: label} or a list of labels. A file is named as
within its source (`cats/1.png`) or together with it (`samples.tar/cats/1.png`, `batch.npz[7]`). Labels are whole numbers.

Examples:
  # A folder of samples for guided-diffusion's evaluator.py
  runner pack samples --out samples.npz

  # The parts that several processes have written, as one batch of 50,000
  runner pack rank0.npz rank1.npz rank2.npz --count 50000 --out samples.npz

  # Labels out of a table
  runner pack samples --labels labels.csv --out samples.npz

  # One file in the place of 50,000
  runner pack samples --out samples.tar")]
pub struct PackArgs {
    /// Folders, tar and zip archives, npz and npy files
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<String>,
    /// The file to write, by its ending: .npz, or .tar of PNGs
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Take the first N images [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// A CSV or JSON file of labels, in the place of those that the sources have
    #[arg(long, value_name = "FILE", conflicts_with = "no_labels")]
    pub labels: Option<PathBuf>,
    /// Write no labels, whatever the sources have
    #[arg(long)]
    pub no_labels: bool,
}
