//! The page of `--html`.

use crate::status::Watched;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn the_page_stands_alone_and_takes_errors_as_text() {
    let desk = Watched::new("<b>torn & lost</b>\nhint: again").desk;
    let answer = desk
        .runner(&["status", "a.toml", "--html", "out.html"])
        .succeeds();
    assert_eq!(
        (answer.stdout.as_str(), answer.stderr.as_str()),
        ("", "wrote out.html\n")
    );
    let page = std::fs::read_to_string(desk.path("out.html")).unwrap();
    for word in [
        "<script",
        "<link",
        "@import",
        "url(",
        "href=",
        "src=",
        "http-equiv",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    for part in [
        "<h1>guidance64</h1>",
        "8 cells: 0 done, 1 failed, 0 under way, 7 waiting.",
        "&lt;b&gt;torn &amp; lost&lt;/b&gt;",
        "<code>runner status a.toml 1</code>",
        "cell 0 steps=25 scale=0",
        "silent for 3 h 01 min",
        "0 of 8 stored",
        "it does not change by itself",
    ] {
        assert!(page.contains(part), "{part}\nis not in\n{page}");
    }
    assert!(!page.contains("<b>"));
}

#[test]
fn a_watched_page_asks_the_browser_to_look_again() {
    let desk = Watched::new("lost").desk;
    let watch = desk.runner(&["status", "a.toml", "--html", "out.html", "--watch"]);
    let mut child = watch
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !desk.path("out.html").exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ended, None, "it goes on while something is left");
    let page = std::fs::read_to_string(desk.path("out.html")).unwrap();
    assert!(
        page.contains("<meta http-equiv=\"refresh\" content=\"10\">"),
        "{page}"
    );
    assert!(page.ends_with("</html>"));
}

#[test]
fn a_page_goes_with_neither_json_nor_a_cell() {
    let desk = Watched::new("lost").desk;
    for other in ["--json", "--workers", "3"] {
        desk.refused(&["status", "a.toml", other, "--html", "out.html"]);
    }
    assert!(!desk.path("out.html").exists());
}
