//! The head of a citation, `Dhariwal and Nichol 2021`: whom a text names, and the year.

/// Words of names that begin with a small letter.
const PARTICLES: [&str; 15] = [
    "and", "da", "de", "del", "den", "der", "di", "du", "el", "la", "le", "ten", "van", "von", "zu",
];

/// What stands at the beginning of a citation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// As they are written, each by itself.
    pub authors: Vec<String>,
    /// Whether the text leaves others out: `et al.`
    pub others: bool,
    pub year: u16,
}

/// The authors and the year at the beginning of a text; none where it does not begin with names and a year.
pub fn head(text: &str) -> Option<Head> {
    let (before, year) = to_year(text)?;
    let before = before.trim().trim_end_matches([',', '(']).trim();
    let lower = before.to_lowercase();
    let without = ["et al.", "et al"]
        .iter()
        .find_map(|end| lower.strip_suffix(end));
    // Only ASCII is taken off the end, which is as long in lower case.
    let cut = without.map_or(0, |kept| lower.len() - kept.len());
    let named = before
        .get(..before.len() - cut)?
        .trim()
        .trim_end_matches(',');
    let whole = named.replace(" & ", " and ");
    let parts = whole.split(" and ").flat_map(|part| part.split(", "));
    let authors: Vec<String> = parts
        .map(|part| part.trim().trim_end_matches(',').to_string())
        .filter(|part| !part.is_empty())
        .collect();
    let all_names = !authors.is_empty() && authors.iter().all(|author| is_name(author));
    all_names.then_some(Head {
        authors,
        others: without.is_some(),
        year,
    })
}

/// What stands before the first year of a text, and the year.
fn to_year(text: &str) -> Option<(&str, u16)> {
    let digits = |c: char| c.is_ascii_digit();
    for (at, _) in text.match_indices(digits) {
        let (before, rest) = text.split_at(at);
        let number = rest.split(|c| !digits(c)).next().unwrap_or_default();
        let after = rest[number.len()..].chars().next();
        let apart = before.ends_with([' ', '(']);
        let ends = after.is_none_or(|c| matches!(c, ',' | ')' | ';' | ':' | ' '))
            || rest[number.len()..].trim_end() == ".";
        let year: Option<u16> = number.parse().ok();
        if let Some(year) = year.filter(|y| (1800..2200).contains(y) && apart && ends) {
            return Some((before, year));
        }
        // Names have no numbers.
        if !before.is_empty() && !before.ends_with(digits) {
            return None;
        }
    }
    None
}

/// `Nichol`, `van den Oord`, `A. Author`: words that begin with a capital, and particles.
fn is_name(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let capital = |word: &&str| word.chars().next().is_some_and(char::is_uppercase);
    let written = |c: char| c.is_alphabetic() || matches!(c, '.' | '-' | '\'' | '’');
    let known = |word: &&str| capital(word) || PARTICLES.contains(word);
    words.len() <= 5
        && words.iter().any(capital)
        && words
            .iter()
            .all(|word| known(word) && word.chars().all(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_year_stand_before_the_first_comma() {
        for (text, authors, others, year) in [
            (
                "Dhariwal and Nichol 2021, arXiv 2105.05233, table 2",
                &["Dhariwal", "Nichol"][..],
                false,
                2021,
            ),
            (
                "Karras et al. 2024, arXiv 2406.02507",
                &["Karras"],
                true,
                2024,
            ),
            (
                "Ho, Jain and Abbeel (2020)",
                &["Ho", "Jain", "Abbeel"],
                false,
                2020,
            ),
            (
                "Ho, Jain, & Abbeel, 2020",
                &["Ho", "Jain", "Abbeel"],
                false,
                2020,
            ),
            ("van den Oord et al. 2016", &["van den Oord"], true, 2016),
            ("Kynkäänniemi et al. 2024", &["Kynkäänniemi"], true, 2024),
            ("A. Author 2021, table 4", &["A. Author"], false, 2021),
            ("OpenAI 2021.", &["OpenAI"], false, 2021),
        ] {
            let found = head(text).expect(text);
            assert_eq!(found.authors, authors, "{text}");
            assert_eq!((found.others, found.year), (others, year), "{text}");
        }
    }

    #[test]
    fn what_does_not_begin_with_names_and_a_year_names_nobody() {
        for text in [
            "",
            "A paper, table 2",
            "arXiv:2105.05233, table 3",
            "table 2 of Ho 2020",
            "the DDPM paper 2020",
            "https://example.org/2021/a",
            "2021",
            "Ho 20201",
            "ImageNet-2012",
            "Ho 2020a",
        ] {
            assert_eq!(head(text), None, "{text}");
        }
    }
}
