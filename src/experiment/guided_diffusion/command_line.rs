//! A command line as a shell parts it: what starts the script, and the arguments that the script is given.

use anyhow::{Result, bail, ensure};

/// A command line.
pub(crate) struct CommandLine {
    /// Up to the script, with it; empty where the text is of arguments alone.
    pub starter: Vec<String>,
    pub arguments: Vec<String>,
}

struct Word {
    text: String,
    /// It holds a `$` that a shell would replace.
    variable: bool,
}

impl CommandLine {
    /// Variables of the environment, launchers (`torchrun`, `srun`, `mpiexec`, `accelerate launch`, `python -m
    /// torch.distributed.launch`) and their own flags stand before the script: the first word that ends in `.py`, else the
    /// module of the last `-m`. Where there is neither, arguments begin with the first `--`.
    pub fn read(text: &str) -> Result<CommandLine> {
        let words = split(text)?;
        let script = words.iter().position(|word| word.text.ends_with(".py"));
        let module = || {
            let at = words.iter().rposition(|word| word.text == "-m")? + 1;
            (at < words.len()).then_some(at)
        };
        let begin = match script.or_else(module) {
            Some(script) => script + 1,
            None => 0,
        };
        // How the script is started may depend on the shell: it is not read.
        ensure!(
            !words[begin..].iter().any(|word| word.variable),
            "the flags hold a variable of a shell\nhint: write out what it stands for, or let the shell do so: \"$FLAGS\" in double quotes"
        );
        let mut words: Vec<String> = words.into_iter().map(|word| word.text).collect();
        let mut arguments = words.split_off(begin);
        if begin == 0 {
            let flag = arguments.iter().position(|word| word.starts_with("--"));
            let first = arguments.split_off(flag.unwrap_or(arguments.len()));
            words = std::mem::replace(&mut arguments, first);
        }
        Ok(CommandLine {
            starter: words,
            arguments,
        })
    }

    /// What starts the script, where it is more than Python.
    pub fn launcher(&self) -> Option<String> {
        let python = |word: &String| {
            let name = word.rsplit('/').next().unwrap_or(word);
            name.starts_with("python") && !name.contains('=')
        };
        match self.starter.as_slice() {
            [] | [_] => None,
            [first, _] if python(first) => None,
            words => Some(words.join(" ")),
        }
    }
}

/// Words as a shell parts them: by white space, quotes taken off, a backslash before a line's end passed over.
fn split(text: &str) -> Result<Vec<Word>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Word>, None);
    let empty = || Word {
        text: String::new(),
        variable: false,
    };
    for c in text.replace("\\\n", " ").chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                word.get_or_insert_with(empty);
                quote = Some(c);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => {
                let word = word.get_or_insert_with(empty);
                word.variable |= c == '$' && quote.is_none();
                word.text.push(c);
            }
        }
    }
    if quote.is_some() {
        bail!("a quote is not closed in the flags");
    }
    words.extend(word);
    Ok(words)
}
