//! `runner gallery`: finished reports on one Markdown page.

use crate::cli::screen::terminal::{out, say, warning};
use crate::io::disk::write_atomic;
use crate::report::page::gallery::gallery;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
Each folder with a report has a place: the first chart, and one sentence on what was found, from the claims of the
experiment file or, without any, from the first finding. Links are relative to the page.

Examples:
  runner gallery
  runner gallery reports --out docs/gallery.md")]
pub struct GalleryArgs {
    /// The folder above the reports
    #[arg(value_name = "DIR", default_value = "reports")]
    pub reports: PathBuf,
    /// Where to write the page [default: stdout, for a page in this folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &GalleryArgs) -> Result<u8> {
    let folder = args.out.as_deref().and_then(Path::parent);
    let folder = folder.unwrap_or(Path::new(""));
    let reports = args.reports.display();
    let command = match &args.out {
        Some(path) => format!("runner gallery {reports} --out {}", path.display()),
        None => format!("runner gallery {reports}"),
    };
    let gallery = gallery(&args.reports, folder, &command)?;
    for (folder, why) in &gallery.left_out {
        warning(&format!("{} is left out: {why}", folder.display()));
    }
    match &args.out {
        Some(path) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making {}", folder.display()))?;
            write_atomic(
                path,
                |file| Ok(file.write_all(gallery.markdown.as_bytes())?),
            )?;
            say(&format!("wrote {}", path.display()))
        }
        None => out(gallery.markdown.trim_end())?,
    }
    Ok(0)
}
