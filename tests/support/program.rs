//! The program under test: what it is asked, where it runs, and what it must answer.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where cargo put the program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_runner");

/// A call of the program, for which no variable of the user's environment names a store or a cache.
pub struct Runner {
    command: Command,
}

impl Runner {
    /// Started in the repository's root, as cargo starts the tests.
    pub fn new() -> Runner {
        Runner::of(Path::new(PROGRAM))
    }

    /// The same, of a copy of the program.
    pub fn of(program: &Path) -> Runner {
        let mut command = Command::new(program);
        for name in ["STORE", "CACHE", "WEIGHTS", "SHARE"] {
            command.env_remove(format!("RUNNER_{name}"));
        }
        // A plan measures the machine, which takes seconds; tests of that ask for it.
        command.env("RUNNER_NO_PROBE", "1");
        Runner { command }
    }

    pub fn at(mut self, folder: &Path) -> Runner {
        self.command.current_dir(folder);
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Runner {
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Runner {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Runner {
        self.command.env(name, value);
        self
    }

    /// The call itself, for a test that kills it or reads it while it runs.
    pub fn command(mut self) -> Command {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command
    }

    /// Runs to the end, whatever that is.
    pub fn run(mut self) -> Answer {
        Answer::of(self.command.output().expect("the program starts"))
    }

    /// Runs to an end that must be good.
    #[track_caller]
    pub fn succeeds(self) -> Answer {
        self.ends_with(0)
    }

    /// Runs to an end that must be a refusal: exit code 2.
    #[track_caller]
    pub fn refuses(self) -> Answer {
        self.ends_with(2)
    }

    /// Runs to an end that must have this exit code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Answer {
        let call = format!("{:?}", self.command);
        let answer = self.run();
        let (out, err) = (&answer.stdout, &answer.stderr);
        assert_eq!(answer.code, Some(code), "{call}\n{out}{err}");
        answer
    }
}

/// What a call said and how it ended.
#[derive(Debug, Clone)]
pub struct Answer {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Answer {
    pub fn of(output: Output) -> Answer {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Answer {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            code: output.status.code(),
        }
    }

    /// Passes when this is a part of stdout.
    #[track_caller]
    pub fn prints(self, part: &str) -> Answer {
        let text = &self.stdout;
        assert!(text.contains(part), "{part}\nis not in\n{text}");
        self
    }

    /// Passes when this is a part of stderr.
    #[track_caller]
    pub fn says(self, part: &str) -> Answer {
        let text = &self.stderr;
        assert!(text.contains(part), "{part}\nis not in\n{text}");
        self
    }

    /// Every line of stdout as JSON.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

/// A file of the repository by its full path, for a program that runs elsewhere.
pub fn shipped(name: &str) -> String {
    repository(name).display().to_string()
}

/// An experiment file: images of the nets of 16 pixels that ship, guided by `scale` 0 unless a grid says otherwise, and
/// scored. `sample` is the text of `[sample]`, `metrics` the list of them, and `rest` what follows.
pub fn guided(name: &str, sample: &str, metrics: &[&str], rest: &str) -> String {
    let [net, guide, weights] = ["unet16", "classifier16", "features"]
        .map(|net| shipped(&format!("experiments/shapes/{net}.safetensors")));
    let reference = shipped("reference_stats/shapes16.npz");
    format!(
        r#"name = "{name}"
[model]
checkpoint = "{net}"
[guidance]
checkpoint = "{guide}"
scale = 0
[sample]
{sample}
[eval]
features = "shapes"
weights = "{weights}"
reference = "{reference}"
metrics = {metrics:?}
{rest}
"#
    )
}

pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files under a folder whose names end in `.EXTENSION`, sorted by path.
pub fn files_ending(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).sort_by_file_name();
    let files = all.into_iter().flatten().map(|entry| entry.into_path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}
