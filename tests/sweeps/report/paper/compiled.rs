//! What LaTeX makes of a report, where it is installed.

use super::of_column;
use crate::support::reports::{parse, report, rows};
use fidrunner::report::page::write::{Format, write};
use std::path::Path;
use std::process::{Command, Output};

const PAPER: &str = r"\documentclass[twocolumn]{article}
\usepackage{booktabs,graphicx,siunitx}
\begin{document}
See Table~\ref{tab:guidance} and Figure~\ref{fig}. The numbers were found before~\cite{dhariwal2021_2105_05233},
with~\cite{runner_0_1_0}.
\begin{figure}
  \includegraphics{fd-vs-scale.pdf}

  \includegraphics{precision-vs-recall.pdf}
  \caption{Charts of one column.}\label{fig}
\end{figure}
\input{table}
\bibliographystyle{plain}
\bibliography{references}
\end{document}
";

/// A program in a folder; none, said, where it is not installed.
fn run(folder: &Path, program: &str, args: &[&str]) -> Option<Output> {
    let run = Command::new(program)
        .args(args)
        .current_dir(folder)
        .output();
    if run.is_err() {
        println!("skipped: there is no {program}");
    }
    run.ok()
}

/// Whether LaTeX has what the paper loads.
fn is_installed(folder: &Path) -> bool {
    let files = ["siunitx.sty", "booktabs.sty"];
    files.iter().all(|file| {
        let found = run(folder, "kpsewhich", &[file]);
        let found = found.is_some_and(|found| found.status.success());
        if !found {
            println!("skipped: LaTeX has no {file}");
        }
        found
    })
}

#[test]
fn a_paper_takes_the_tables_the_charts_and_the_works() {
    for latex in ["plain", "siunitx"] {
        let claim = "[[claim]]\nsource = \"Dhariwal and Nichol 2021, arXiv 2105.05233, table 4\"\n\
                     says = \"guidance helps\"\nmetric = \"fd\"\nbetter.guidance.scale = 1\nthan.guidance.scale = 0\n";
        let text = of_column("single").replace("[report]\n", &format!("{claim}[report]\n"));
        let sweep = parse(&format!("{text}latex = \"{latex}\"\ndeltas = true\n"));
        let rows = rows(&sweep);
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        if !is_installed(folder) {
            return;
        }
        let formats = [Format::Tex, Format::Pdf, Format::Bib];
        write(&report(&sweep, &rows), folder, &formats).unwrap();
        std::fs::write(folder.join("paper.tex"), PAPER).unwrap();
        let pdflatex = ["-interaction=nonstopmode", "-halt-on-error", "paper.tex"];
        for (program, args) in [
            ("pdflatex", &pdflatex[..]),
            ("bibtex", &["paper"]),
            ("pdflatex", &pdflatex),
            ("pdflatex", &pdflatex),
        ] {
            let Some(ran) = run(folder, program, args) else {
                return;
            };
            let told = String::from_utf8_lossy(&ran.stdout).into_owned();
            assert!(ran.status.success(), "{latex}: {program}\n{told}");
        }
        let log = std::fs::read(folder.join("paper.log")).unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        for fault in ["undefined", "PDF inclusion", "LaTeX Error"] {
            assert!(!log.contains(fault), "{latex}: {fault}\n{log}");
        }
        assert!(std::fs::metadata(folder.join("paper.pdf")).unwrap().len() > 10_000);
        if let Ok(kept) = std::env::var("RUNNER_TEST_PAPER") {
            std::fs::copy(folder.join("paper.pdf"), format!("{kept}-{latex}.pdf")).unwrap();
        }
    }
}
