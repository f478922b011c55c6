//! Finished reports on one Markdown page: a chart and a sentence of each, as the heads of their pages tell them.

use crate::report::table::markdown::escape;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The page of a report.
const PAGE: &str = "index.html";
/// Bytes of a page that hold its head.
const HEAD: u64 = 128 * 1024;
/// Where the head tells what was found, and the file of the first chart.
const DESCRIPTION: &str = "<meta name=\"description\" content=\"";
const IMAGE: &str = "<meta property=\"og:image\" content=\"";

/// The page, and the folders that are not on it, each with the reason.
pub struct Gallery {
    pub markdown: String,
    pub left_out: Vec<(PathBuf, &'static str)>,
}

/// What the head of a report's page tells.
struct Told {
    name: String,
    sentence: String,
    chart: String,
}

/// The reports in the folders of `reports`, by name, for a page that stands in the folder `page`; `command` made it.
///
/// # Errors
/// Where `reports` or a page in it cannot be read, or no report is in it.
pub fn gallery(reports: &Path, page: &Path, command: &str) -> Result<Gallery> {
    let reading = || format!("reading {}", reports.display());
    let entries = std::fs::read_dir(reports).with_context(reading)?;
    let folders = entries.map(|entry| Ok(entry?.path()));
    let mut folders: Vec<PathBuf> = folders.collect::<Result<_>>().with_context(reading)?;
    folders.retain(|folder| folder.join(PAGE).is_file());
    folders.sort();
    let link = relative(reports, page);
    let mut markdown = format!(
        "# Gallery\n\nOne chart of each study and what it found, as the committed reports tell it. Made by `{command}`.\n"
    );
    let mut left_out = Vec::new();
    let mut shown = 0;
    for folder in folders {
        match told(&folder)? {
            Ok(told) => {
                markdown.push_str(&entry(&told, &link));
                shown += 1;
            }
            Err(why) => left_out.push((folder, why)),
        }
    }
    ensure!(
        shown > 0,
        "{} holds no report with a chart\nhint: name the folder above the reports, or write them again with `runner report FILE`",
        reports.display()
    );
    Ok(Gallery { markdown, left_out })
}

fn entry(told: &Told, link: &str) -> String {
    let Told {
        name,
        sentence,
        chart,
    } = told;
    let (title, sentence) = (escape(name), escape(sentence));
    let folder = format!("{link}/{name}");
    format!(
        "\n## {title}\n\n{sentence} [Table]({folder}/table.md).\n\n![{title}: {}]({folder}/{chart})\n",
        escape(chart.trim_end_matches(".svg"))
    )
}

/// What a report's page tells, or why it has no place in a gallery.
fn told(folder: &Path) -> Result<Result<Told, &'static str>> {
    let path = folder.join(PAGE);
    let reading = || format!("reading {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(&path).with_context(reading)?;
    file.take(HEAD)
        .read_to_end(&mut bytes)
        .with_context(reading)?;
    let head = String::from_utf8_lossy(&bytes);
    let of = |mark: &str| {
        let (_, rest) = head.split_once(mark)?;
        Some(plain(rest.split_once('"')?.0))
    };
    let (Some(name), Some(sentence)) =
        (folder.file_name().and_then(|n| n.to_str()), of(DESCRIPTION))
    else {
        return Ok(Err("its page does not say what was found"));
    };
    let file = |chart: &String| {
        let mut parts = Path::new(chart).components();
        let plain = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        plain && chart.ends_with(".svg") && folder.join(chart).is_file()
    };
    let Some(chart) = of(IMAGE).filter(file) else {
        return Ok(Err("it has no chart as SVG"));
    };
    Ok(Ok(Told {
        name: name.to_string(),
        sentence,
        chart,
    }))
}

/// The text that an attribute holds.
fn plain(attribute: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities
        .iter()
        .fold(attribute.to_string(), |text, (entity, letter)| {
            text.replace(entity, letter)
        })
}

/// The way from the folder `from` to `to`, with `/`; `to` as it stands where the two have no common root.
fn relative(to: &Path, from: &Path) -> String {
    // An empty path is this folder.
    let whole = |path: &Path| {
        let path = Path::new(".").join(path);
        std::path::absolute(&path).unwrap_or(path)
    };
    let (to, from) = (whole(to), whole(from));
    let (to, from): (Vec<_>, Vec<_>) = (to.components().collect(), from.components().collect());
    let common = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..".to_string());
    let down = to[common..]
        .iter()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}
