//! Works out of the texts that name them: an arXiv number, a DOI or an address, and what stands before.

use crate::report::paper::names::{Head, head};

/// Words before the place in a work: `table 2`, `figure 4`.
const PLACES: [&str; 16] = [
    "table",
    "tables",
    "tab.",
    "figure",
    "figures",
    "fig.",
    "section",
    "sections",
    "sec.",
    "appendix",
    "equation",
    "eq.",
    "page",
    "p.",
    "pp.",
    "algorithm",
];

/// Where a work is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// `2105.05233`, without its version.
    Arxiv(String),
    /// `10.1000/182`, in small letters.
    Doi(String),
    Url(String),
    /// The text without places in the work, where it names nothing to find it by.
    Text(String),
}

/// A work that a study names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub id: Id,
    /// As far as some text tells them.
    pub head: Option<Head>,
    /// The first text that names it, without the place in it.
    pub short: String,
    /// Every text that names it, each once.
    pub texts: Vec<String>,
}

/// The distinct works that texts name, in the order of the first text of each.
pub fn works<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Work> {
    let mut works: Vec<Work> = Vec::new();
    for text in texts {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let id = id(&text);
        let known = works.iter().position(|work| work.id == id);
        let Some(known) = known else {
            works.push(Work {
                id,
                head: head(&text),
                short: short(&text),
                texts: vec![text],
            });
            continue;
        };
        let work = &mut works[known];
        work.head = work.head.take().or_else(|| head(&text));
        if !work.texts.contains(&text) {
            work.texts.push(text);
        }
    }
    works
}

fn id(text: &str) -> Id {
    let doi = doi(text);
    // arXiv's own DOIs are numbers of arXiv.
    let own = doi
        .as_ref()
        .and_then(|doi| doi.strip_prefix("10.48550/arxiv."));
    if let Some(number) = own.and_then(number) {
        return Id::Arxiv(number);
    }
    if let Some(number) = arxiv(text) {
        return Id::Arxiv(number);
    }
    if let Some(doi) = doi {
        return Id::Doi(doi);
    }
    match url(text) {
        Some(url) => Id::Url(url),
        None => Id::Text(short(text)),
    }
}

/// The number after `arXiv`, in text or in an address of it.
fn arxiv(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("arxiv").find_map(|(at, word)| {
        let rest = &lower[at + word.len()..];
        let rest = rest.strip_prefix(".org/").map_or(rest, |path| {
            let pages = ["abs/", "pdf/", "html/"];
            pages
                .iter()
                .find_map(|page| path.strip_prefix(page))
                .unwrap_or("")
        });
        number(rest.trim_start_matches([':', ' ', '.', '[', '(']))
    })
}

/// The number of arXiv at the beginning of a text in small letters, without its version: `2105.05233`, or `cs/0112017` as
/// before 2007.
fn number(text: &str) -> Option<String> {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    let (year, rest) = (digits(text), text.get(4..)?);
    if year == 4
        && let Some(rest) = rest.strip_prefix('.')
    {
        let serial = digits(rest);
        return (4..=5)
            .contains(&serial)
            .then(|| text[..5 + serial].to_string());
    }
    let (archive, rest) = text.split_once('/')?;
    let named = |c: char| c.is_ascii_lowercase() || matches!(c, '-' | '.');
    let old = !archive.is_empty() && archive.len() <= 16 && archive.chars().all(named);
    (old && digits(rest) == 7).then(|| format!("{archive}/{}", &rest[..7]))
}

/// `10.1000/182`, in small letters.
fn doi(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    lower.match_indices("10.").find_map(|(at, _)| {
        let apart = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
        let found = word(&lower[at..]);
        let (prefix, suffix) = found.split_once('/')?;
        let registrant = prefix.strip_prefix("10.")?;
        let digits = registrant.chars().all(|c| c.is_ascii_digit() || c == '.');
        let whole = apart && digits && registrant.len() >= 4 && !suffix.is_empty();
        whole.then(|| found.to_string())
    })
}

fn url(text: &str) -> Option<String> {
    let starts = ["https://", "http://"]
        .iter()
        .filter_map(|start| text.find(start));
    Some(word(&text[starts.min()?..]).to_string())
}

/// The text up to a space, without what closes a sentence behind it.
fn word(text: &str) -> &str {
    let word = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '{' | '}'));
    let word = word.into_iter().next().unwrap_or_default();
    let word = word.trim_end_matches([',', '.', ';', ':']);
    // A bracket belongs to it where it opens in it.
    if word.ends_with(')') && !word.contains('(') {
        word.trim_end_matches([')', ',', '.', ';'])
    } else {
        word
    }
}

/// A text without the places in a work at its end.
fn short(text: &str) -> String {
    let mut parts: Vec<&str> = text.split(", ").collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| is_place(part)) {
        parts.pop();
    }
    parts.join(", ").trim_end_matches('.').to_string()
}

/// `table 2`, `table 5 (ADM with dropout)`, `section 4.1`.
pub fn is_place(part: &str) -> bool {
    let mut words = part.split_whitespace();
    let first = words.next().unwrap_or_default().to_lowercase();
    PLACES.contains(&first.as_str()) && words.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<Id> {
        works(texts.iter().copied())
            .into_iter()
            .map(|work| work.id)
            .collect()
    }

    #[test]
    fn numbers_of_arxiv_are_found_in_every_form() {
        for text in [
            "Dhariwal and Nichol 2021, arXiv 2105.05233, table 2",
            "arXiv:2105.05233, table 3",
            "arxiv: 2105.05233v4",
            "https://arxiv.org/abs/2105.05233v2",
            "(https://arxiv.org/pdf/2105.05233.pdf)",
            "doi:10.48550/arXiv.2105.05233",
        ] {
            assert_eq!(ids(&[text]), [Id::Arxiv("2105.05233".into())], "{text}");
        }
        assert_eq!(
            ids(&["arXiv:hep-th/9901001v3"]),
            [Id::Arxiv("hep-th/9901001".into())]
        );
        assert_eq!(
            ids(&["arXiv 210.05233"]),
            [Id::Text("arXiv 210.05233".into())]
        );
    }

    #[test]
    fn a_doi_is_found_before_an_address() {
        for text in [
            "Heusel 2017, doi:10.1000/XYZ.1-2, table 1",
            "https://doi.org/10.1000/xyz.1-2.",
        ] {
            assert_eq!(ids(&[text]), [Id::Doi("10.1000/xyz.1-2".into())], "{text}");
        }
        let url = Id::Url("https://example.org/a_(b)?c=1".into());
        assert_eq!(
            ids(&["a page, https://example.org/a_(b)?c=1, figure 2"]),
            [url]
        );
        assert_eq!(ids(&["table 10.5/2"]), [Id::Text("table 10.5/2".into())]);
    }

    #[test]
    fn several_tables_of_a_paper_are_one_work() {
        let works = works(
            [
                "Dhariwal and Nichol 2021, arXiv 2105.05233, table 2",
                "arXiv:2105.05233v4, table 3",
                "A paper, table 2",
                "A paper,  figure 4, section 3.1",
                "Another paper, table 2",
                "A paper, table 2",
            ]
            .into_iter(),
        );
        assert_eq!(works.len(), 3);
        assert_eq!(works[0].texts.len(), 2);
        assert_eq!(works[1].short, "A paper");
        assert_eq!(
            works[1].texts,
            ["A paper, table 2", "A paper, figure 4, section 3.1"]
        );
        assert_eq!(works[2].short, "Another paper");
    }
}
