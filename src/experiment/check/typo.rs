//! What a mistake in an experiment file is told as: the parser's own words, and what was probably meant.

/// The error's text; a name that is nearly one of those that were expected gets a hint with that one.
pub fn told(error: &toml::de::Error) -> String {
    let text = joined(error.to_string().trim_end());
    match meant(error.message()) {
        Some(name) => format!("{text}\nhint: did you mean `{name}`?"),
        None => text,
    }
}

/// The text with the way to a key on one line: a table that is read by its form tells the way from there alone.
fn joined(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let way = |line: &str| Some(line.strip_prefix("in `")?.strip_suffix('`')?.to_string());
    for line in text.lines() {
        let inner = lines.last().and_then(|last| way(last));
        if let (Some(inner), Some(outer), Some(last)) = (inner, way(line), lines.last_mut()) {
            *last = format!("in `{outer}.{inner}`");
        } else {
            lines.push(line.to_string());
        }
    }
    lines.join("\n")
}

/// The expected name that `unknown field .., expected ..` was a slip of: at most two keystrokes away, and less than half of
/// it wrong.
fn meant(message: &str) -> Option<&str> {
    let wrong = message
        .strip_prefix("unknown field ")
        .or_else(|| message.strip_prefix("unknown variant "))?;
    let mut names = wrong.split('`').skip(1).step_by(2);
    let written = names.next()?;
    let near = names.min_by_key(|name| strsim::damerau_levenshtein(name, written))?;
    let apart = strsim::damerau_levenshtein(near, written);
    (apart <= 2 && 2 * apart < written.len()).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_slip_is_known_and_a_stranger_is_not() {
        let message = |name: &str| {
            format!("unknown field `{name}`, expected one of `sampler`, `steps`, `eta`")
        };
        assert_eq!(meant(&message("stpes")), Some("steps"));
        assert_eq!(meant(&message("samplers")), Some("sampler"));
        assert_eq!(meant(&message("scale")), None);
        assert_eq!(meant(&message("et")), None);
        let variant = "unknown variant `dim`, expected `ddpm` or `ddim`";
        assert_eq!(meant(variant), Some("ddim"));
        assert_eq!(meant("missing field `steps`"), None);
    }
}
