//! YAML that every reader takes alike: block mappings and lists, texts in double quotes as JSON has them (which YAML 1.2
//! section 5 includes), numbers that YAML 1.1 reads as numbers too.

/// A value as YAML has it.
#[derive(Clone)]
pub enum Yaml {
    Text(String),
    Integer(i64),
    /// Finite.
    Float(f64),
    Bool(bool),
    List(Vec<Yaml>),
    /// Keys in the order in which they are written.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub fn text(text: impl Into<String>) -> Yaml {
        Yaml::Text(text.into())
    }

    /// A mapping of these keys.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Yaml)>) -> Yaml {
        let entries = entries.into_iter();
        Yaml::Map(entries.map(|(key, value)| (key.into(), value)).collect())
    }

    /// The document, ending with a newline.
    pub fn document(&self) -> String {
        let mut out = String::new();
        self.block(&mut out, 0);
        out
    }

    /// Writes lines from where the cursor is, further ones `indent` spaces in.
    fn block(&self, out: &mut String, indent: usize) {
        let next = |out: &mut String, first: &mut bool| {
            if !std::mem::take(first) {
                out.push_str(&" ".repeat(indent));
            }
        };
        let mut first = true;
        match self {
            Yaml::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    next(out, &mut first);
                    out.push_str(&plain_or_quoted(key));
                    out.push(':');
                    value.behind_key(out, indent);
                }
            }
            Yaml::List(items) if !items.is_empty() => {
                for item in items {
                    next(out, &mut first);
                    out.push_str("- ");
                    item.block(out, indent + 2);
                }
            }
            scalar => {
                out.push_str(&scalar.scalar());
                out.push('\n');
            }
        }
    }

    fn behind_key(&self, out: &mut String, indent: usize) {
        let nested = match self {
            Yaml::Map(entries) => !entries.is_empty(),
            Yaml::List(items) => !items.is_empty(),
            _ => false,
        };
        if nested {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            self.block(out, indent + 2);
        } else {
            out.push(' ');
            self.block(out, indent);
        }
    }

    fn scalar(&self) -> String {
        match self {
            Yaml::Text(text) => quoted(text),
            Yaml::Integer(number) => number.to_string(),
            Yaml::Float(number) => float(*number),
            Yaml::Bool(value) => value.to_string(),
            Yaml::List(_) => "[]".to_string(),
            Yaml::Map(_) => "{}".to_string(),
        }
    }
}

/// Without an exponent: PyYAML takes `1e-05` for a text.
fn float(number: f64) -> String {
    let text = number.to_string();
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// A key that cannot be taken for anything else as it stands, others in quotes.
fn plain_or_quoted(key: &str) -> String {
    let letters = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '-');
    let word = key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(letters);
    let taken = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&key);
    if word && !taken {
        key.to_string()
    } else {
        quoted(key)
    }
}

/// In double quotes, with escapes for what YAML may not hold as it is or takes for the end of a line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(
                    c,
                    '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
                ) =>
            {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use yaml_rust2::YamlLoader;

    #[test]
    fn every_text_is_read_back() {
        let odd = [
            "",
            "a: b # c",
            "no",
            "1.0",
            "\"q\" \\ 'a'",
            "ä\n\t\u{1}\u{7f}\u{85}\u{2028}🦀",
            "- x",
            "{}",
            "~",
        ];
        for text in odd {
            let entry = Yaml::map([(text, Yaml::List(vec![Yaml::text(text)]))]);
            let written = entry.document();
            let read = &YamlLoader::load_from_str(&written).unwrap()[0];
            let (key, value) = read.as_hash().unwrap().iter().next().unwrap();
            assert_eq!(key.as_str(), Some(text), "{written}");
            assert_eq!(value[0].as_str(), Some(text), "{written}");
        }
    }

    #[test]
    fn numbers_have_a_point_and_no_exponent() {
        for (number, written) in [
            (1e-7, "0.0000001"),
            (3.0, "3.0"),
            (-0.0, "-0.0"),
            (1e21, "1000000000000000000000.0"),
            (2.97, "2.97"),
        ] {
            assert_eq!(float(number), written);
        }
    }

    #[test]
    fn lists_and_maps_nest() {
        let inner = Yaml::map([("a", Yaml::Integer(1)), ("b", Yaml::List(vec![]))]);
        let outer = Yaml::map([(
            "x-y",
            Yaml::List(vec![inner, Yaml::Bool(true), Yaml::map::<&str>([])]),
        )]);
        let expected = "x-y:\n  - a: 1\n    b: []\n  - true\n  - {}\n";
        assert_eq!(outer.document(), expected);
    }
}
