//! What a worker's job runs: a short shell script that becomes `runner work`.

use crate::cluster::groups::Group;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The exit status of a worker whose node does not see the working folder.
pub const NO_FOLDER: i32 = 97;

/// What every worker of a sweep is started with.
#[derive(Clone, Debug)]
pub struct WorkerCall {
    /// This program, by its full path.
    pub program: PathBuf,
    /// Where the sweep was started: relative paths mean the same there.
    pub folder: PathBuf,
    /// The store, by its full path.
    pub store: PathBuf,
    pub file: PathBuf,
    pub set: Vec<String>,
    pub only: Vec<String>,
    pub cache: Option<PathBuf>,
    pub device: Option<String>,
}

impl WorkerCall {
    /// The words of the call for the stages of `group`.
    pub fn words(&self, group: &Group) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        let mut words = vec![path(&self.program), "--store".into(), path(&self.store)];
        words.extend(["work".into(), "--stages".into(), group.names(",")]);
        for (flag, values) in [("--set", &self.set), ("--only", &self.only)] {
            for value in values {
                words.extend([flag.to_string(), value.clone()]);
            }
        }
        if let Some(cache) = &self.cache {
            words.extend(["--cache".into(), path(cache)]);
        }
        if let Some(device) = &self.device {
            words.extend(["--device".into(), device.clone()]);
        }
        // A name that begins with a dash is a file all the same.
        words.extend(["--".into(), path(&self.file)]);
        words
    }

    /// The script. `module` is a function that a login shell has, so it is one where there are lines of the user's own.
    pub fn script(&self, group: &Group) -> String {
        let setup = group.asks.setup.as_deref().unwrap_or_default();
        let shell = if setup.is_empty() {
            "#!/bin/sh"
        } else {
            "#!/bin/bash -l"
        };
        let mut text = format!("{shell}\n# A worker of `runner sweep --slurm`.\n");
        let folder = quoted(&self.folder.display().to_string());
        let _ = writeln!(text, "cd {folder} || exit {NO_FOLDER}");
        for line in setup {
            let _ = writeln!(text, "{line}");
        }
        let variables = group.asks.env.iter().flatten();
        for (name, value) in variables.filter_map(|variable| variable.split_once('=')) {
            let _ = writeln!(text, "export {name}={}", quoted(value));
        }
        let words: Vec<String> = self.words(group).iter().map(|word| quoted(word)).collect();
        let _ = writeln!(text, "exec {}", words.join(" "));
        text
    }
}

/// A word that every POSIX shell reads as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=,:@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::slurm::Slurm;
    use crate::jobs::stage::Stage;

    #[test]
    fn the_script_becomes_the_worker_whatever_the_names_hold() {
        let call = WorkerCall {
            program: "/opt/it's/runner".into(),
            folder: "/home/a b".into(),
            store: "/store".into(),
            file: "x.toml".into(),
            set: vec!["sample.count=8".into(), "name=\"$HOME\"".into()],
            only: vec![],
            cache: None,
            device: Some("cuda:0".into()),
        };
        let text = |list: &[&str]| Some(list.iter().map(|line| line.to_string()).collect());
        let group = Group {
            stages: vec![Stage::Sample, Stage::Features],
            asks: Slurm {
                setup: text(&["module load cuda"]),
                env: text(&["HF_HOME", "A=b c"]),
                ..Slurm::default()
            },
        };
        let expected = "#!/bin/bash -l\n# A worker of `runner sweep --slurm`.\ncd '/home/a b' || exit 97\nmodule load cuda\nexport A='b c'\nexec '/opt/it'\\''s/runner' --store /store work --stages sample,features --set sample.count=8 --set 'name=\"$HOME\"' --device cuda:0 -- x.toml\n";
        assert_eq!(call.script(&group), expected);
    }
}
