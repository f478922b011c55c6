//! Tables whose numbers are aligned by siunitx.

use crate::support::reports::{SMALL, parse, read, report, score, small};
use fidrunner::report::page::write::{Format, write};
use fidrunner::run::results::Row;

/// table.tex of the three small cells under these lines of the file.
fn table(lines: &str, rows: &[Row]) -> String {
    let sweep = parse(&format!("{SMALL}{lines}"));
    let dir = tempfile::tempdir().unwrap();
    write(&report(&sweep, rows), dir.path(), &[Format::Tex]).unwrap();
    read(dir.path(), "table.tex")
}

#[test]
fn the_aligned_table_is_these_bytes() {
    let (_, mut rows) = small();
    rows[1].scores[0] = score("fd", 12.5, 0.25);
    let published = "[[published]]\nsource = \"A. Author 2021, table 4\"\nat.sample.steps = 75\nscores = { fd = 3.9 }\n";
    let latex = r"% needs \usepackage{booktabs,graphicx,siunitx}
\begin{table}
  \centering
  \small
  \sisetup{detect-weight=true}
  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
  \begin{tabular}{rS[table-format=2.2]@{\hspace{0.4em}}lS[table-format=1.3]@{\hspace{0.4em}}l}
    \toprule
    steps & \multicolumn{2}{l}{FD (shapes) $\downarrow$} & \multicolumn{2}{l}{recall $\uparrow$} \\
    \midrule
    25 & \bfseries 3.50 & {\scriptsize [3.25, 3.75]} & \bfseries 0.500 & {\scriptsize [0.375, 0.625]} \\
    50 & 12.50 & {\scriptsize [12.25, 12.75]} & 0.250 & {\scriptsize [0.125, 0.375]} \\
    100 & \multicolumn{2}{l}{\emph{missing (failed)}} & & \\
    \addlinespace
    75 & 3.90 & {\scriptsize (published 1)} & & \\
    \bottomrule
  \end{tabular}}
";
    let found = table(
        &format!("{published}[report]\nlatex = \"siunitx\"\n"),
        &rows,
    );
    assert!(found.starts_with(latex), "{found}");
}

#[test]
fn differences_have_room_for_their_signs() {
    let (_, rows) = small();
    let found = table("[report]\nlatex = \"siunitx\"\ndeltas = true\n", &rows);
    let differences = found.split("\\begin{table}").nth(2).unwrap();
    assert!(
        differences.contains("S[table-format=+1.2]"),
        "{differences}"
    );
    assert!(
        differences.contains(" -1.00 &") || differences.contains("-1.00 & "),
        "{differences}"
    );
    // As many places in each line as there are columns: one of steps, two of each metric.
    let lines = differences.lines().filter(|line| line.ends_with("\\\\"));
    for line in lines {
        let spans = line.matches("\\multicolumn{2}").count();
        assert_eq!(line.matches('&').count() + spans, 4, "{line}");
    }
}

#[test]
fn plain_is_what_a_file_has_that_asks_for_nothing() {
    let (_, rows) = small();
    let plain = table("", &rows);
    assert!(plain.starts_with("% needs \\usepackage{booktabs,graphicx}\n"));
    assert_eq!(table("[report]\nlatex = \"plain\"\n", &rows), plain);
}
