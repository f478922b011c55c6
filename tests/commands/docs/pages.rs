//! The pages, their blocks of code and their inline code.

use std::fs;
use std::path::PathBuf;

/// One page of Markdown.
pub struct Page {
    /// Relative to the repository's root.
    pub path: PathBuf,
    pub text: String,
}

/// A block of code and the language it is marked with; none for one that is indented.
pub struct Block {
    pub language: Option<String>,
    pub lines: Vec<String>,
}

/// README.md, every page of docs/ and the page on containers, by name.
pub fn all() -> Vec<Page> {
    let mut paths = vec![
        PathBuf::from("README.md"),
        PathBuf::from("containers/README.md"),
    ];
    for entry in fs::read_dir("docs").unwrap() {
        paths.push(entry.unwrap().path());
    }
    paths.sort();
    let page = |path: PathBuf| Page {
        text: fs::read_to_string(&path).unwrap(),
        path,
    };
    paths.into_iter().map(page).collect()
}

impl Page {
    /// Blocks between fences, and indented ones.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut fenced, mut indented) = (false, false);
        for line in self.text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                fenced = !fenced;
                indented = false;
                if fenced {
                    blocks.push(Block {
                        language: Some(language.to_string()),
                        lines: Vec::new(),
                    });
                }
                continue;
            }
            let code = line.strip_prefix("    ").filter(|_| !fenced);
            if code.is_some() && !indented {
                blocks.push(Block {
                    language: None,
                    lines: Vec::new(),
                });
            }
            indented = code.is_some();
            let text = if fenced { Some(line) } else { code };
            if let (Some(text), Some(block)) = (text, blocks.last_mut()) {
                block.lines.push(text.to_string());
            }
        }
        assert!(
            !fenced,
            "{}: a fence is open at the end",
            self.path.display()
        );
        blocks
    }

    /// What stands between single backticks outside of blocks.
    pub fn inline(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut fenced = false;
        for line in self.text.lines() {
            fenced ^= line.starts_with("```");
            if fenced || line.starts_with("    ") || line.starts_with("```") {
                continue;
            }
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_string));
        }
        found
    }

    /// The shell's lines of the page in their order: of indented blocks, of blocks marked `sh`, and inline calls of the
    /// program with at least one argument behind the verb.
    pub fn commands(&self) -> Vec<String> {
        let shell = |block: &Block| block.language.as_deref().is_none_or(|name| name == "sh");
        let mut lines: Vec<String> = Vec::new();
        for block in self.blocks().into_iter().filter(shell) {
            for line in block.lines {
                let line = line.trim().to_string();
                match lines.last_mut().and_then(|last| last.strip_suffix('\\')) {
                    Some(open) => *lines.last_mut().unwrap() = format!("{open}{line}"),
                    None if line.is_empty() || line.starts_with('#') => {}
                    None => lines.push(line),
                }
            }
        }
        let inline = self.inline().into_iter();
        let called = |code: &String| code.starts_with("runner ") && code.split(' ').count() > 2;
        lines.extend(inline.filter(called).filter(|code| !code.contains("...")));
        lines
    }
}
