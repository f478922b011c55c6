//! A report as files in a folder: each written whole or not at all, those of former reports taken away.

use crate::experiment::file::experiment::Grids;
use crate::io::disk;
use crate::report::chart::figures;
use crate::report::findings::deltas::Differences;
use crate::report::findings::verdicts::Tested;
use crate::report::findings::{deltas, verdicts};
use crate::report::grids::mosaic::Mosaic;
use crate::report::grids::{mosaic, samples};
use crate::report::page::html::{self, Parts};
use crate::report::rows::input::Report;
use crate::report::rows::{names, published};
use crate::report::table::sheet::Sheet;
use crate::report::table::{caption, frame, sheet, tables};
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

/// Every file of the report by name, in the order in which they are told.
fn files(report: &Report, formats: &[Format]) -> Result<Vec<(String, Vec<u8>)>> {
    let wants = |f: Format| formats.contains(&f);
    let sheet = sheet::sheet(report)?;
    let deltas = deltas::differences(report, &sheet)?;
    let claims = verdicts::tested(report)?;
    let drawn = wants(Format::Html) || wants(Format::Png);
    let figures = match drawn || wants(Format::Svg) {
        true => figures::figures(report)?,
        false => Vec::new(),
    };
    let mosaics = match drawn {
        true => grids(report)?,
        false => Vec::new(),
    };
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    if wants(Format::Html) {
        let parts = Parts {
            sheet: &sheet,
            deltas: deltas.as_ref(),
            claims: &claims,
            figures: &figures,
            mosaics: &mosaics,
        };
        files.push((
            "index.html".into(),
            html::page(report, &parts)?.into_bytes(),
        ));
    }
    let rows = [report.rows, &published::rows(report)].concat();
    let frame = frame::frame(&rows)?;
    if wants(Format::Csv) {
        files.push(("table.csv".into(), tables::csv(&frame)?));
    }
    if wants(Format::Parquet) {
        files.push(("table.parquet".into(), tables::parquet(&frame)?));
    }
    if wants(Format::Md) {
        files.push((
            "table.md".into(),
            markdown(report, &sheet, deltas.as_ref(), &claims).into_bytes(),
        ));
    }
    if wants(Format::Tex) {
        files.push((
            "table.tex".into(),
            latex(report, &sheet, deltas.as_ref()).into_bytes(),
        ));
    }
    // Most of a report's time goes into these pixels.
    let drawings = figures.par_iter().map(|figure| {
        let mut drawings = Vec::new();
        if wants(Format::Svg) {
            drawings.push((format!("{}.svg", figure.name), figure.svg()?.into_bytes()));
        }
        if wants(Format::Png) {
            drawings.push((format!("{}.png", figure.name), figure.png()?));
        }
        Ok(drawings)
    });
    files.extend(drawings.collect::<Result<Vec<_>>>()?.into_iter().flatten());
    if wants(Format::Png) {
        files.extend(
            mosaics
                .into_iter()
                .map(|m| (format!("{}.png", m.name), m.png)),
        );
    }
    Ok(files)
}

/// The sample grids that the experiment asks for.
fn grids(report: &Report) -> Result<Vec<Mosaic>> {
    let asked = report.spec().map_or(Grids::All, |spec| spec.report.grids);
    if asked == Grids::None {
        return Ok(Vec::new());
    }
    let mut mosaics = mosaic::mosaics(report, &samples::all(report.rows)?)?;
    mosaics.retain(|m| m.overview || asked == Grids::All);
    Ok(mosaics)
}

fn markdown(
    report: &Report,
    sheet: &Sheet,
    deltas: Option<&Differences>,
    claims: &[Tested],
) -> String {
    let mut caption = caption::parts(report, sheet);
    caption.extend(caption::legend(report, "bold: best"));
    let mut text = tables::markdown(sheet, &caption);
    if let Some(deltas) = deltas {
        text.push_str(&format!("\n{}:\n\n", deltas.title));
        text.push_str(&tables::markdown(
            &deltas.sheet,
            std::slice::from_ref(&deltas.caption),
        ));
    }
    if !claims.is_empty() {
        text.push_str("\nClaims put to the test:\n\n");
    }
    for tested in claims {
        text.push_str(&format!("- {}  \n  {}\n", tested.claim, tested.verdict));
    }
    text
}

fn latex(report: &Report, sheet: &Sheet, deltas: Option<&Differences>) -> String {
    let name = &report.sweep.name;
    let label = names::slug(name);
    let mut caption = caption::parts(report, sheet);
    caption.extend(caption::legend(report, "Bold: best"));
    let mut text = tables::latex(sheet, name, &label, &caption);
    if let Some(deltas) = deltas {
        let caption = [deltas.title.clone(), deltas.caption.clone()];
        text.push('\n');
        text.push_str(&tables::latex(
            &deltas.sheet,
            name,
            &format!("{label}-deltas"),
            &caption,
        ));
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
