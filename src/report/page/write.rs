//! A report as files in a folder: each written whole or not at all, those of former reports taken away.

use crate::experiment::file::experiment::{Grids, Latex};
use crate::io::disk;
use crate::report::chart::figures::{self, Figure};
use crate::report::chart::layout::Layout;
use crate::report::findings::{deltas, verdicts};
use crate::report::grids::embedded;
use crate::report::grids::mosaic::{self, Mosaic};
use crate::report::grids::overview::{self, Overview};
use crate::report::grids::samples::{self, Images};
use crate::report::hand_over::{model_card, tensorboard};
use crate::report::page::excerpt::Excerpt;
use crate::report::page::format::{BIBLIOGRAPHY, CARD, TENSORBOARD};
use crate::report::page::html::{self, Parts, Texts};
use crate::report::paper::bibliography;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::table::{caption, claims, frame, latex, markdown, sheet, siunitx};
use crate::run::results::Row;
use anyhow::{Context, Result};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

pub use crate::report::page::format::Format;

/// Lists the files of the last report, each with its sha256, so that only our own are ever removed.
pub const LIST: &str = ".files.json";

/// Writes the report into `dir`; the paths written, the page first, all event files of TensorBoard as their one folder.
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
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making {}", folder.display()))?;
        }
        disk::write_atomic(&path, |out| Ok(out.write_all(bytes)?))?;
        list.insert(name.clone(), digest(bytes));
        match Format::of_file(name) {
            Some(Format::Tensorboard) => paths.push(dir.join(TENSORBOARD)),
            _ => paths.push(path),
        }
    }
    paths.dedup();
    let written: HashSet<&String> = files.iter().map(|(name, _)| name).collect();
    let ours = |name: &String| {
        let asked = Format::of_file(name).is_some_and(|format| formats.contains(&format));
        asked && !written.contains(name)
    };
    let stale: Vec<String> = list.keys().filter(|n| ours(n)).cloned().collect();
    for name in stale {
        let known = list.remove(&name);
        remove(dir, &name, known.as_deref())?;
    }
    disk::write_json(&dir.join(LIST), &list)?;
    Ok(paths)
}

/// A file's name and what it holds.
pub type File = (String, Vec<u8>);

/// Every file of the report by name, in the order in which they are told.
///
/// # Errors
/// Where the report cannot be made.
pub fn files(report: &Report, formats: &[Format]) -> Result<Vec<File>> {
    let wants = |f: Format| formats.contains(&f);
    let drawn = [Format::Html, Format::Svg, Format::Png];
    let figures = if drawn.into_iter().any(wants) {
        figures::figures(report)?
    } else {
        Vec::new()
    };
    let sheet = sheet::sheet(report)?;
    let excerpt = Excerpt::of(report, &sheet);
    let images = images(report, formats, excerpt.as_ref())?;
    let overviews = overview::overviews(report, &images);
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
            excerpt: excerpt.as_ref(),
        };
        files.push((
            "index.html".into(),
            html::page(report, &parts)?.into_bytes(),
        ));
    }
    files.extend(tables(report, &texts, formats)?);
    files.extend(charts(&figures, formats)?);
    files.extend(papers(report, formats)?);
    let mosaics =
        if asked(report) == Grids::All && (wants(Format::Png) || wants(Format::Tensorboard)) {
            mosaic::mosaics(&images)?
        } else {
            Vec::new()
        };
    if wants(Format::Tensorboard) {
        files.extend(event_files(report, &images, &mosaics)?);
    }
    if wants(Format::Png) {
        files.extend(grids(&overviews, mosaics)?);
    }
    if wants(Format::Card) {
        let card = model_card::card(report, &markdown(report, &texts));
        files.push((CARD.into(), card.into_bytes()));
    }
    Ok(files)
}

/// The samples of the cells that are shown: of all but in a large study, and of all for TensorBoard.
fn images<'a>(
    report: &'a Report,
    formats: &[Format],
    excerpt: Option<&Excerpt>,
) -> Result<Vec<(&'a Row, Images)>> {
    let wants = |f: Format| formats.contains(&f);
    let pictured = [Format::Html, Format::Png, Format::Tensorboard];
    if asked(report) == Grids::None || !pictured.into_iter().any(wants) {
        return Ok(Vec::new());
    }
    let some = excerpt.filter(|_| !wants(Format::Tensorboard));
    let shown = |row: &&Row| some.is_none_or(|excerpt| excerpt.cells.contains(&row.cell));
    samples::all(report.rows.iter().filter(shown), mosaic::MOST)
}

/// TensorBoard's event files, each with its cell's sample grid where there is one.
fn event_files(
    report: &Report,
    images: &[(&Row, Images)],
    mosaics: &[Mosaic],
) -> Result<Vec<File>> {
    let cells = images.iter().map(|(row, _)| row.cell);
    let grids: HashMap<usize, &Mosaic> = cells.zip(mosaics).collect();
    let files = tensorboard::files(report, &grids)?.into_iter();
    let below = |(name, bytes)| (format!("{TENSORBOARD}/{name}"), bytes);
    Ok(files.map(below).collect())
}

/// The table in every format that is asked for.
fn tables(report: &Report, texts: &Texts, formats: &[Format]) -> Result<Vec<File>> {
    let wants = |f: Format| formats.contains(&f);
    let frame = if report.published.is_empty() {
        frame::frame(report.rows)?
    } else {
        frame::frame(&[report.rows, &report.published].concat())?
    };
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

/// What is for papers: the charts as PDF, of the width that the experiment asks for, and the works that it names.
fn papers(report: &Report, formats: &[Format]) -> Result<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    if formats.contains(&Format::Pdf) {
        let column = report.spec().and_then(|spec| spec.report.column);
        let figures = figures::laid_out(report, &Layout::of(column))?;
        let drawn = figures.par_iter();
        let drawn = drawn.map(|figure| Ok((format!("{}.pdf", figure.name), figure.pdf()?)));
        files.extend(drawn.collect::<Result<Vec<_>>>()?);
    }
    if formats.contains(&Format::Bib) {
        let text = bibliography::bibliography(report.sweep);
        files.push((BIBLIOGRAPHY.into(), text.into_bytes()));
    }
    Ok(files)
}

/// The sample grids that the experiment asks for.
fn asked(report: &Report) -> Grids {
    report.spec().map_or(Grids::All, |spec| spec.report.grids)
}

fn grids(overviews: &[Overview], cells: Vec<Mosaic>) -> Result<Vec<File>> {
    let found = overviews.par_iter().map(Overview::mosaic);
    let found: Vec<Option<Mosaic>> = found.collect::<Result<_>>()?;
    let mosaics = found.into_iter().flatten().chain(cells);
    let file = |m: Mosaic| (format!("{}.png", m.name), m.png);
    Ok(mosaics.map(file).collect())
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
        text.push_str(&claims::markdown(texts.claims));
    }
    text
}

fn latex(report: &Report, texts: &Texts) -> String {
    let name = &report.sweep.name;
    let label = names::slug(name);
    let mut caption = caption::parts(report, texts.sheet);
    caption.extend(caption::legend(report, "Bold: best"));
    let numbers = report.spec().map(|spec| spec.report.latex);
    let table = match numbers.unwrap_or_default() {
        Latex::Plain => latex::table,
        Latex::Siunitx => siunitx::table,
    };
    let mut text = table(texts.sheet, name, &label, &caption);
    if let Some(deltas) = texts.deltas {
        let caption = [deltas.title.clone(), deltas.caption.clone()];
        let label = format!("{label}-deltas");
        text.push('\n');
        text.push_str(&table(&deltas.sheet, name, &label, &caption));
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
    // A list is only believed about what reports write.
    list.retain(|name, _| Format::of_file(name).is_some());
    Ok(list)
}

/// Removes a file that is still as a report wrote it, and the folders below the report's own that are empty without it.
fn remove(dir: &Path, name: &str, known: Option<&str>) -> Result<()> {
    let path = dir.join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        return Ok(());
    };
    if known != Some(digest(&bytes).as_str()) {
        return Ok(());
    }
    std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != dir);
    for folder in folders {
        // A folder that holds something else stays.
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}
