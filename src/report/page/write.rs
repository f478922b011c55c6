//! A report as files in a folder: each written whole or not at all, those of former reports taken away.

use crate::experiment::file::experiment::Grids;
use crate::io::disk;
use crate::report::chart::figures::{self, Figure};
use crate::report::findings::{deltas, verdicts};
use crate::report::grids::embedded;
use crate::report::grids::mosaic::{self, Mosaic};
use crate::report::grids::overview::{self, Overview};
use crate::report::grids::samples::{self, Images};
use crate::report::page::html::{self, Parts, Texts};
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::table::{caption, frame, latex, markdown, sheet};
use crate::run::results::Row;
use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What may be written. `Svg` and `Png` are the charts beside the page; `Png` the sample grids too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Html,
    Csv,
    Parquet,
    Md,
    Tex,
    Svg,
    Png,
}

impl Format {
    pub const ALL: [Format; 7] = [
        Format::Html,
        Format::Csv,
        Format::Parquet,
        Format::Md,
        Format::Tex,
        Format::Svg,
        Format::Png,
    ];

    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::Md => "md",
            Format::Tex => "tex",
            Format::Svg => "svg",
            Format::Png => "png",
        }
    }
}

impl FromStr for Format {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Format::ALL.iter().find(|f| f.ending() == text);
        let Some(format) = known else {
            let allowed = Format::ALL.map(Format::ending).join(", ");
            bail!("unknown format `{text}`; allowed: {allowed}");
        };
        Ok(*format)
    }
}

/// Lists the files of the last report, each with its sha256, so that only our own are ever removed.
const LIST: &str = ".files.json";

/// Writes the report into `dir`; the paths written, the page first.
///
/// # Errors
/// Where the report cannot be made, or `dir` or a file in it cannot be written.
pub fn write(report: &Report, dir: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
    let files = files(report, formats)?;
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let mut list = former(dir)?;
    let mut paths = Vec::new();
    for (name, bytes) in &files {
        let path = dir.join(name);
        disk::write_atomic(&path, |out| Ok(out.write_all(bytes)?))?;
        list.insert(name.clone(), digest(bytes));
        paths.push(path);
    }
    let ours = |name: &String| {
        let ending = name.rsplit('.').next().unwrap_or("");
        let asked = formats.iter().any(|f| f.ending() == ending);
        asked && !files.iter().any(|(written, _)| written == name)
    };
    let stale: Vec<String> = list.keys().filter(|n| ours(n)).cloned().collect();
    for name in stale {
        let known = list.remove(&name);
        remove(&dir.join(&name), known.as_deref())?;
    }
    disk::write_json(&dir.join(LIST), &list)?;
    Ok(paths)
}

/// A file's name and what it holds.
type File = (String, Vec<u8>);

/// Every file of the report by name, in the order in which they are told.
fn files(report: &Report, formats: &[Format]) -> Result<Vec<File>> {
    let wants = |f: Format| formats.contains(&f);
    let drawn = [Format::Html, Format::Svg, Format::Png];
    let figures = if drawn.into_iter().any(wants) {
        figures::figures(report)?
    } else {
        Vec::new()
    };
    let pictures = wants(Format::Html) || wants(Format::Png);
    let images = if pictures && asked(report) != Grids::None {
        samples::all(report.rows, mosaic::MOST)?
    } else {
        Vec::new()
    };
    let overviews = overview::overviews(report, &images);
    let sheet = sheet::sheet(report)?;
    let deltas = deltas::differences(report, &sheet)?;
    let claims = verdicts::tested(report)?;
    let texts = Texts {
        deltas: deltas.as_ref(),
        claims: &claims,
        sheet: &sheet,
    };
    let mut files: Vec<File> = Vec::new();
    if wants(Format::Html) {
        let parts = Parts {
            texts: &texts,
            figures: &figures,
            overviews: &embedded::embedded(&overviews)?,
        };
        files.push(("index.html".into(), html::page(report, &parts).into_bytes()));
    }
    files.extend(tables(report, &texts, formats)?);
    files.extend(charts(&figures, formats)?);
    if wants(Format::Png) {
        files.extend(grids(report, &images, &overviews)?);
    }
    Ok(files)
}

/// The table in every format that is asked for.
fn tables(report: &Report, texts: &Texts, formats: &[Format]) -> Result<Vec<File>> {
    let wants = |f: Format| formats.contains(&f);
    let frame = frame::frame(&[report.rows, &report.published].concat())?;
    let mut files: Vec<File> = Vec::new();
    if wants(Format::Csv) {
        files.push(("table.csv".into(), frame::csv(&frame)?));
    }
    if wants(Format::Parquet) {
        files.push(("table.parquet".into(), frame::parquet(&frame)?));
    }
    if wants(Format::Md) {
        files.push(("table.md".into(), markdown(report, texts).into_bytes()));
    }
    if wants(Format::Tex) {
        files.push(("table.tex".into(), latex(report, texts).into_bytes()));
    }
    Ok(files)
}

/// The charts. Most of a report's time goes into their pixels.
fn charts(figures: &[Figure], formats: &[Format]) -> Result<Vec<File>> {
    let wants = |f: Format| formats.contains(&f);
    let files = figures.par_iter().map(|figure| {
        let mut files: Vec<File> = Vec::new();
        if wants(Format::Svg) {
            files.push((format!("{}.svg", figure.name), figure.svg().into_bytes()));
        }
        if wants(Format::Png) {
            files.push((format!("{}.png", figure.name), figure.png()?));
        }
        Ok(files)
    });
    Ok(files.collect::<Result<Vec<_>>>()?.concat())
}

/// The sample grids that the experiment asks for.
fn asked(report: &Report) -> Grids {
    report.spec().map_or(Grids::All, |spec| spec.report.grids)
}

fn grids(report: &Report, images: &[(&Row, Images)], overviews: &[Overview]) -> Result<Vec<File>> {
    let found = overviews.par_iter().map(Overview::mosaic);
    let found: Vec<Option<Mosaic>> = found.collect::<Result<_>>()?;
    let mut mosaics: Vec<Mosaic> = found.into_iter().flatten().collect();
    if asked(report) == Grids::All {
        mosaics.extend(mosaic::mosaics(images)?);
    }
    let file = |m: Mosaic| (format!("{}.png", m.name), m.png);
    Ok(mosaics.into_iter().map(file).collect())
}

fn markdown(report: &Report, texts: &Texts) -> String {
    let mut caption = caption::parts(report, texts.sheet);
    caption.extend(caption::legend(report, "bold: best"));
    let mut text = markdown::table(texts.sheet, &caption);
    if let Some(deltas) = texts.deltas {
        let caption = std::slice::from_ref(&deltas.caption);
        text.push_str(&format!("\n{}:\n\n", deltas.title));
        text.push_str(&markdown::table(&deltas.sheet, caption));
    }
    if !texts.claims.is_empty() {
        text.push_str("\nClaims tested:\n\n");
    }
    for tested in texts.claims {
        text.push_str(&format!("- {}  \n  {}\n", tested.claim, tested.verdict));
    }
    text
}

fn latex(report: &Report, texts: &Texts) -> String {
    let name = &report.sweep.name;
    let label = names::slug(name);
    let mut caption = caption::parts(report, texts.sheet);
    caption.extend(caption::legend(report, "Bold: best"));
    let mut text = latex::table(texts.sheet, name, &label, &caption);
    if let Some(deltas) = texts.deltas {
        let caption = [deltas.title.clone(), deltas.caption.clone()];
        let label = format!("{label}-deltas");
        text.push('\n');
        text.push_str(&latex::table(&deltas.sheet, name, &label, &caption));
    }
    text
}

/// The list of the report before; empty where there was none.
fn former(dir: &Path) -> Result<BTreeMap<String, String>> {
    let path = dir.join(LIST);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let mut list: BTreeMap<String, String> = disk::read_json(&path)?;
    // A list is only believed about files of its own folder.
    list.retain(|name, _| !name.contains(['/', '\\']) && name != "..");
    Ok(list)
}

/// Removes a file that is still as a report wrote it.
fn remove(path: &Path, known: Option<&str>) -> Result<()> {
    let Ok(bytes) = std::fs::read(path) else {
        return Ok(());
    };
    if known == Some(digest(&bytes).as_str()) {
        std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}
