//! The works that a study names, and the program, as BibTeX. What the texts do not say is not made up.

use crate::experiment::grid::sweep::Sweep;
use crate::report::paper::names::Head;
use crate::report::paper::works::{Id, Work, is_place, works};
use std::collections::HashSet;

/// The program's title and authors, and the year of this version, as CITATION.cff has them.
pub const TITLE: &str = "runner: FID evaluation and ablation sweeps for diffusion models";
pub const AUTHORS: &str = "The runner authors";
pub const YEAR: u16 = 2026;

/// An entry per work, those of claims and published scores in file order, then the program itself. UTF-8.
pub fn bibliography(sweep: &Sweep) -> String {
    let claims = sweep.claims.iter().map(|claim| claim.source.as_str());
    let published = sweep.published.iter().map(|row| row.source.as_str());
    let works = works(claims.chain(published));
    let mut text = format!("% Works that the study {} names\n", comment(&sweep.name));
    if !works.is_empty() {
        text +=
            "% Titles stand in no experiment file: the text of the file stands in their place.\n";
    }
    let mut keys: HashSet<String> = HashSet::new();
    for work in &works {
        let wanted = key(work);
        let mut others = (2..).map(|n| format!("{wanted}_{n}"));
        let mut own = wanted.clone();
        while !keys.insert(own.clone()) {
            own = others.next().unwrap_or_default();
        }
        text += &format!("\n{}{}", named_for(work), entry(work, &own));
    }
    text + "\n" + &program()
}

/// `% table 2; table 3`: where in the work, as far as it is said.
fn named_for(work: &Work) -> String {
    let parts = |text: &String| {
        let parts: Vec<&str> = text.split(", ").filter(|part| is_place(part)).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    let places: Vec<String> = work.texts.iter().filter_map(parts).collect();
    if places.is_empty() {
        return String::new();
    }
    format!("% {}\n", comment(&places.join("; ")))
}

fn entry(work: &Work, key: &str) -> String {
    let mut fields: Vec<(&str, String)> = Vec::new();
    if let Some(head) = &work.head {
        fields.push(("author", authors(head)));
    }
    // Doubled braces keep the capitals.
    fields.push(("title", format!("{{{}}}", escape(&work.short))));
    if let Some(head) = &work.head {
        fields.push(("year", head.year.to_string()));
    }
    match &work.id {
        Id::Arxiv(number) => {
            fields.push(("eprint", number.clone()));
            fields.push(("archivePrefix", "arXiv".into()));
            fields.push(("url", format!("https://arxiv.org/abs/{number}")));
        }
        Id::Doi(doi) => {
            fields.push(("doi", verbatim(doi)));
            fields.push(("url", format!("https://doi.org/{}", verbatim(doi))));
        }
        Id::Url(url) => fields.push(("url", verbatim(url))),
        Id::Text(_) => {
            let told = work.texts.iter().map(|text| escape(text));
            fields.push(("howpublished", told.collect::<Vec<_>>().join("; ")));
        }
    }
    written("misc", key, &fields)
}

/// The program, at the version that is running.
fn program() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let fields = [
        ("author", format!("{{{}}}", escape(AUTHORS))),
        ("title", format!("{{{}}}", escape(TITLE))),
        ("year", YEAR.to_string()),
        ("version", version.to_string()),
    ];
    let key = format!("runner_{}", slug(version));
    written("software", &key, &fields)
}

fn written(kind: &str, key: &str, fields: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| format!("  {name:<13} = {{{value}}},\n");
    let lines: String = fields.iter().map(line).collect();
    format!("@{kind}{{{key},\n{lines}}}\n")
}

/// `Dhariwal and Nichol`, `Karras and others`.
fn authors(head: &Head) -> String {
    let named = head.authors.iter().map(|author| escape(author));
    let others = head.others.then(|| "others".to_string());
    named.chain(others).collect::<Vec<_>>().join(" and ")
}

/// `dhariwal2021_2105_05233`: the first author's last name, the year, and what the work is found by.
fn key(work: &Work) -> String {
    let found = match &work.id {
        Id::Arxiv(number) => slug(number),
        Id::Doi(doi) => slug(doi),
        Id::Url(url) => slug(url.split_once("://").map_or(url, |(_, rest)| rest)),
        Id::Text(text) => slug(text),
    };
    let surname = |head: &Head| {
        let name = head.authors.first()?.split_whitespace().last()?;
        Some(slug(name)).filter(|name| !name.is_empty())
    };
    let Some(head) = &work.head else {
        return match &work.id {
            Id::Arxiv(_) => format!("arxiv_{found}"),
            Id::Doi(_) => format!("doi_{found}"),
            _ if found.is_empty() => "work".to_string(),
            _ => found,
        };
    };
    let name = surname(head).unwrap_or_else(|| "work".into());
    match work.id {
        Id::Text(_) => format!("{name}{}", head.year),
        _ => format!("{name}{}_{found}", head.year),
    }
}

/// Small ASCII letters, digits and single underscores, at most 60 of them.
fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().chars() {
        match plain(c) {
            Some(letters) => out.push_str(letters),
            None if c.is_ascii_alphanumeric() => out.push(c),
            None if c.is_alphanumeric() => {}
            None if !out.is_empty() && !out.ends_with('_') => out.push('_'),
            None => {}
        }
    }
    let cut: String = out.chars().take(60).collect();
    cut.trim_end_matches('_').to_string()
}

/// A letter of a European language without its marks.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ģ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ķ' => "k",
        'ł' | 'ļ' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// Text that BibTeX takes as a value and LaTeX sets as it stands.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' => out.extend(['\\', c]),
            // A brace behind a backslash still counts for BibTeX.
            '{' => out.push_str("\\textbraceleft{}"),
            '}' => out.push_str("\\textbraceright{}"),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// An address, in which styles escape what they must; no brace stays.
fn verbatim(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_control());
    let coded = kept.map(|c| match c {
        '{' => "%7B".to_string(),
        '}' => "%7D".to_string(),
        '\\' => "%5C".to_string(),
        c => c.to_string(),
    });
    coded.collect()
}

/// A line outside of entries, where an `@` would begin one.
fn comment(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_control() && *c != '@');
    kept.collect()
}
