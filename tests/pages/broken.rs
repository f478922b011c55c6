//! Pages with a fault of each kind, every one of which is found.

use crate::browser::{SCHEMES, Scheme, found};
use crate::probe::{WIDTHS, probe};

/// A page that is as it should be.
const WHOLE: &str = "<!DOCTYPE html><html><head><meta name=\"viewport\" content=\"width=device-width\"></head><body>\
    <img alt=\"a dot\" src=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgZGIGAAAOAAfXb+R4AAAAAElFTkSuQmCC\">\
    <svg role=\"img\" width=\"5\" height=\"5\"><title>a chart</title></svg></body></html>";

#[test]
fn each_fault_of_a_broken_page_is_found_and_none_of_a_whole_one() {
    let Some(browser) = found() else { return };
    let folder = tempfile::tempdir().unwrap();
    let broken = [
        ("whole", String::new(), ""),
        (
            "wide",
            "<div style=\"width: 2000px\">wide</div>".into(),
            "overflow",
        ),
        (
            "missing",
            "<img alt=\"gone\" src=\"gone.png\">".into(),
            "image that is not loaded",
        ),
        (
            "no-alt",
            WHOLE
                .split("<svg")
                .next()
                .unwrap()
                .replace("alt=\"a dot\"", ""),
            "image without alt",
        ),
        (
            "no-title",
            "<svg role=\"img\"></svg>".into(),
            "chart without a title",
        ),
        (
            "no-role",
            "<svg><title>a chart</title></svg>".into(),
            "chart without a title",
        ),
        (
            "narrow",
            "<table><tr><th class=\"axis\" style=\"max-width: 1rem; overflow-wrap: anywhere\">evaluations</th></tr></table>".into(),
            "broken word: evaluations",
        ),
        ("script", "<script>nothing.there()</script>".into(), ""),
    ];
    let pages: Vec<_> = broken
        .iter()
        .map(|(name, more, _)| {
            let path = folder.path().join(format!("{name}.html"));
            std::fs::write(&path, WHOLE.replace("</body>", &format!("{more}</body>"))).unwrap();
            path
        })
        .collect();
    let probed = probe(&browser, &pages, Scheme::Light);
    for (i, page) in probed.found.iter().enumerate() {
        let (name, _, fault) = &broken[i / WIDTHS.len()];
        if fault.is_empty() {
            assert!(page.faults.is_empty(), "{name}: {page:?}");
        } else {
            assert_eq!(page.faults.len(), 1, "{name}: {page:?}");
            assert!(page.faults[0].starts_with(fault), "{name}: {page:?}");
        }
    }
    let console = probed.console.join("\n");
    let of = |name: &str| console.matches(&format!("/{name}.html")).count();
    assert!(console.contains("nothing is not defined"), "{console}");
    assert_eq!((of("script"), of("whole")), (WIDTHS.len(), 0), "{console}");
}

#[test]
fn a_page_that_asks_for_it_is_dark_where_the_system_is() {
    let Some(browser) = found() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let style = "<style>body { background: #fff } @media (prefers-color-scheme: dark) { body { background: #123456 } }</style>";
    std::fs::write(&path, WHOLE.replace("</head>", &format!("{style}</head>"))).unwrap();
    for scheme in SCHEMES {
        let colour = match scheme {
            Scheme::Light => "rgb(255, 255, 255)",
            Scheme::Dark => "rgb(18, 52, 86)",
        };
        for page in probe(&browser, std::slice::from_ref(&path), scheme).found {
            assert_eq!(page.background, colour, "{scheme:?}");
        }
    }
}
