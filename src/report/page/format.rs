//! The formats of a report, by the names that people give them, and whose a file of a report is.

use anyhow::{Result, bail};
use std::path::{Component, Path};
use std::str::FromStr;

/// The file of results in a model card.
pub const CARD: &str = "card.md";
/// The file of the works that a study names.
pub const BIBLIOGRAPHY: &str = "references.bib";
/// The folder of TensorBoard's event files.
pub const TENSORBOARD: &str = "tensorboard";

/// What may be written. `Svg` and `Png` are the charts beside the page; `Png` the sample grids too. `Pdf` (the charts) and
/// `Bib` are for papers, `Tensorboard` and `Card` for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Html,
    Csv,
    Parquet,
    Md,
    Tex,
    Svg,
    Png,
    Pdf,
    Bib,
    Tensorboard,
    Card,
}

impl Format {
    /// Those that a report has unless others are asked for.
    pub const ALL: [Format; 7] = [
        Format::Html,
        Format::Csv,
        Format::Parquet,
        Format::Md,
        Format::Tex,
        Format::Svg,
        Format::Png,
    ];

    /// Those for papers, which are written where they are asked for by name.
    pub const PAPER: [Format; 2] = [Format::Pdf, Format::Bib];

    /// Those for other programs, which are written where they are asked for by name.
    pub const HAND_OVER: [Format; 2] = [Format::Tensorboard, Format::Card];

    /// Its name; of those in `ALL` and `PAPER` the ending of their files too.
    pub fn name(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::Md => "md",
            Format::Tex => "tex",
            Format::Svg => "svg",
            Format::Png => "png",
            Format::Pdf => "pdf",
            Format::Bib => "bib",
            Format::Tensorboard => "tensorboard",
            Format::Card => "card",
        }
    }

    /// The format that a report's file is written for, by its path in the report's folder; none for a path that no report
    /// writes, such as one that leads out of the folder.
    pub fn of_file(name: &str) -> Option<Format> {
        let parts: Vec<Component> = Path::new(name).components().collect();
        let plain = parts
            .iter()
            .all(|part| matches!(part, Component::Normal(_)));
        match parts.as_slice() {
            [first, _, ..] if plain && first.as_os_str() == TENSORBOARD => {
                Some(Format::Tensorboard)
            }
            [_] if name == CARD => Some(Format::Card),
            [_] if plain && !name.contains('\\') => {
                let ending = name.rsplit('.').next().unwrap_or_default();
                let mut files = Format::ALL.into_iter().chain(Format::PAPER);
                files.find(|format| format.name() == ending)
            }
            _ => None,
        }
    }
}

impl FromStr for Format {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = || {
            let own = Format::ALL.into_iter().chain(Format::PAPER);
            own.chain(Format::HAND_OVER)
        };
        let Some(format) = known().find(|format| format.name() == text) else {
            let names: Vec<&str> = known().map(|format| format.name()).collect();
            bail!("unknown format `{text}`; allowed: {}", names.join(", "));
        };
        Ok(format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_format_that_writes_it() {
        for (name, format) in [
            ("table.csv", Some(Format::Csv)),
            ("table.md", Some(Format::Md)),
            ("card.md", Some(Format::Card)),
            ("fd-vs-scale.pdf", Some(Format::Pdf)),
            ("references.bib", Some(Format::Bib)),
            ("tensorboard/events", Some(Format::Tensorboard)),
            ("tensorboard/cell0/events", Some(Format::Tensorboard)),
            ("tensorboard/../../a.csv", None),
            ("../a.csv", None),
            ("/a.csv", None),
            ("a/b.csv", None),
            ("a\\b.csv", None),
            ("..", None),
            ("tensorboard", None),
        ] {
            assert_eq!(Format::of_file(name), format, "{name}");
        }
    }
}
