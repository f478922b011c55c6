//! Chromium without a window: a page is opened, and what is left of it when everything is loaded is read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A page takes seconds; a browser that hangs is ended.
const LONGEST: Duration = Duration::from_secs(100);

/// What the user's system asks pages to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

pub const SCHEMES: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

/// A page after it was loaded.
pub struct Shown {
    /// Its elements as HTML.
    pub elements: String,
    /// Lines of the console: errors of scripts, and what is refused.
    pub console: Vec<String>,
}

/// The browser of this machine; none, said once a test, where there is none.
pub fn found() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let paths =
        std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    let browser = paths.into_iter().find(|path| path.is_file());
    if browser.is_none() {
        eprintln!("skipped: there is no Chromium (Debian's package `chromium`)");
    }
    browser
}

/// Opens the page of a file, which may look into the files that it frames. `folder` is the browser's own.
pub fn show(browser: &Path, page: &Path, scheme: Scheme, folder: &Path) -> Shown {
    let [out, err] = ["out", "err"].map(|name| folder.join(name));
    let scheme = match scheme {
        Scheme::Dark => 0,
        Scheme::Light => 1,
    };
    let mut child = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-sync",
        ])
        .args(["--disable-component-update", "--disable-dev-shm-usage"])
        .args(["--allow-file-access-from-files", "--enable-logging=stderr"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .expect("the browser starts");
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser did not end within {LONGEST:?}: {}", read(&err));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let console = read(&err);
    let console = console.lines().filter(|line| line.contains(":CONSOLE"));
    Shown {
        elements: read(&out),
        console: console.map(String::from).collect(),
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
