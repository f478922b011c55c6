//! The Python process that a benchmark takes turns with.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// what it says it is
    pub name: String,
}

impl Peer {
    /// Starts `torch_ops.py` with that many threads on the device that PyTorch calls so, and, where one is named, with no
    /// wider vectors than this instruction set has; the error says in a word why there is none.
    pub fn start(threads: usize, device: &str, isa: Option<&str>) -> Result<Peer, String> {
        let arguments = [threads.to_string(), device.to_string()];
        let limits = [
            "ATEN_CPU_CAPABILITY",
            "ONEDNN_MAX_CPU_ISA",
            "MKL_ENABLE_INSTRUCTIONS",
        ];
        // The first is read as it is written, the others in capitals.
        let value = |name: &str, isa: &str| match name {
            "ATEN_CPU_CAPABILITY" => isa.to_string(),
            _ => isa.to_uppercase(),
        };
        let limits = limits
            .iter()
            .filter_map(|name| Some((*name, value(name, isa?))));
        Peer::run_with("torch_ops.py", &arguments, "torch", limits)
    }

    /// Starts a script of this folder, which first says what it is; `needs` is what it imports.
    pub fn run(script: &str, arguments: &[String], needs: &str) -> Result<Peer, String> {
        Peer::run_with(script, arguments, needs, [])
    }

    fn run_with(
        script: &str,
        arguments: &[String],
        needs: &str,
        environment: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Peer, String> {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
        let mut child = Command::new(&python)
            .arg(format!("{folder}/{script}"))
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{python}: {e}"))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{python}: no pipes"));
        };
        let mut peer = Peer {
            child,
            requests,
            answers: BufReader::new(answers),
            name: String::new(),
        };
        match peer.line() {
            Some(name) => {
                peer.name = name;
                Ok(peer)
            }
            None => Err(format!("{python} has no {needs}")),
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(n) if n > 0 => Some(line.trim().to_string()),
            _ => None,
        }
    }

    /// The number that the script answers: for `torch_ops.py` the median milliseconds of as many calls as the request's
    /// `repeat` says.
    pub fn measure(&mut self, request: &serde_json::Value) -> Option<f64> {
        writeln!(self.requests, "{request}").ok()?;
        self.requests.flush().ok()?;
        self.line()?.parse().ok()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A child that was killed stays a zombie until it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
