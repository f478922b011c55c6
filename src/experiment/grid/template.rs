//! `{name}` in a text: reading it, filling it, and escaping what is meant literally (`{{` and `}}`).

use anyhow::{Result, bail};

/// What a text is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Literal text, its doubled braces read as single ones.
    Text(String),
    /// What stands between a brace and the next: the name of a value.
    Name(String),
}

/// The parts of `text`, in order; neighbouring literals are one part, and no part is empty.
///
/// # Errors
/// Where a brace has no partner, or nothing stands between the two.
pub fn parts(text: &str) -> Result<Vec<Part>> {
    let mut found = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let name = match (brace, after.split_once(['{', '}'])) {
            ("{", Some((name, _))) if after[name.len()..].starts_with('}') => name,
            _ => bail!(
                "\"{text}\" has a `{brace}` without its partner\nhint: `{{name}}` takes the value of a key; a brace that is meant literally is doubled: `{brace}{brace}`"
            ),
        };
        if name.is_empty() {
            bail!(
                "\"{text}\" names nothing between `{{` and `}}`\nhint: braces that are meant literally are doubled: `{{{{}}}}`"
            );
        }
        if !literal.is_empty() {
            found.push(Part::Text(std::mem::take(&mut literal)));
        }
        found.push(Part::Name(name.to_string()));
        rest = &after[name.len() + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        found.push(Part::Text(literal));
    }
    Ok(found)
}

/// `text` with the value of each name in its place, and doubled braces as single ones.
///
/// # Errors
/// As [`parts`], and the first error of `value`.
pub fn fill(text: &str, value: &mut dyn FnMut(&str) -> Result<String>) -> Result<String> {
    let mut filled = String::new();
    for part in parts(text)? {
        match part {
            Part::Text(literal) => filled.push_str(&literal),
            Part::Name(name) => filled.push_str(&value(&name)?),
        }
    }
    Ok(filled)
}

/// `text` with its braces doubled: [`fill`] gives it back as it was.
pub fn escape(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// The names in `text`, in order, one as often as it stands there.
///
/// # Errors
/// As [`parts`].
pub fn names(text: &str) -> Result<Vec<String>> {
    let names = parts(text)?.into_iter().filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    });
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::{Part, escape, fill, names, parts};

    #[test]
    fn a_text_is_read_into_its_parts() {
        let text = |text: &str| Part::Text(text.to_string());
        let name = |name: &str| Part::Name(name.to_string());
        assert_eq!(parts("").unwrap(), []);
        assert_eq!(parts("plain").unwrap(), [text("plain")]);
        assert_eq!(
            parts("a {b.c}{d} {{e}}").unwrap(),
            [text("a "), name("b.c"), name("d"), text(" {e}")]
        );
        assert_eq!(parts("{{{a}}}").unwrap(), [text("{"), name("a"), text("}")]);
        assert_eq!(parts("é{ü}").unwrap(), [text("é"), name("ü")]);
        assert_eq!(names("{a}{{b}}{a}").unwrap(), ["a", "a"]);
    }

    #[test]
    fn a_brace_without_a_partner_is_refused_with_its_text() {
        for (bad, brace) in [
            ("a{b", "{"),
            ("a}b", "}"),
            ("{a{b}", "{"),
            ("{", "{"),
            ("{a}}", "}"),
        ] {
            let error = parts(bad).unwrap_err().to_string();
            let start = format!("\"{bad}\" has a `{brace}` without its partner\nhint: ");
            assert!(error.starts_with(&start), "{error}");
            assert!(error.ends_with(&format!("`{brace}{brace}`")), "{error}");
        }
        let error = parts("a{}").unwrap_err().to_string();
        assert!(error.starts_with("\"a{}\" names nothing"), "{error}");
    }

    #[test]
    fn what_is_escaped_is_filled_to_itself() {
        for text in ["", "{", "}}{", "{a}", "{{a}}", "é{"] {
            let again = fill(&escape(text), &mut |name| panic!("{name}")).unwrap();
            assert_eq!(again, text);
        }
        let filled = fill("{a}-{b} {{}}", &mut |name| Ok(name.repeat(2))).unwrap();
        assert_eq!(filled, "aa-bb {}");
        let refused = fill("{a}", &mut |name| anyhow::bail!("no {name}"));
        assert_eq!(refused.unwrap_err().to_string(), "no a");
    }
}
