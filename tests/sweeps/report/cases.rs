//! What a report makes of `[[case]]`: its name is an axis, and what is crossed within a case is compared within it.

use crate::support::reports::{parse, report, rows, score};
use fidrunner::experiment::grid::sweep::Sweep;
use fidrunner::report::chart::figures::figures;
use fidrunner::report::chart::series::{Shown, lines};
use fidrunner::report::findings::deltas::{Differences, differences};
use fidrunner::report::findings::verdicts::tested;
use fidrunner::report::table::frame::{csv, frame};
use fidrunner::report::table::sheet::sheet;
use fidrunner::report::table::terminal;
use fidrunner::run::plan::Plan;
use fidrunner::run::results::{self, Row};
use fidrunner::run::store::Store;

const EXPERIMENT: &str = r#"
name = "cases"
[model]
checkpoint = "unet{case}.safetensors"
[guidance]
checkpoint = "classifier{case}.safetensors"
scale = 1
[sample]
steps = 25
count = 100
[eval]
features = "shapes"
weights = "features.safetensors"
reference = "shapes{case}.npz"
metrics = ["fd"]
[[case]]
name = "64"
model.resolution = 64
guidance.scale = [0, 1, 5]
[[case]]
name = "16"
model.resolution = 16
guidance.scale = [0, 5]
[[chart]]
x = "case"
y = ["fd"]
by = "guidance.scale"
[[published]]
source = "a paper"
at.case = "16"
at.guidance.scale = 2.5
scores = { fd = 1.5 }
[report]
deltas = "guidance.scale"
"#;

/// Fréchet distances of the five cells.
const FD: [f64; 5] = [8.0, 6.0, 7.0, 4.0, 3.0];

fn measured(sweep: &Sweep) -> Vec<Row> {
    let mut rows = rows(sweep);
    for (row, fd) in rows.iter_mut().zip(FD) {
        row.scores = vec![score("fd", fd, 0.25)];
    }
    rows
}

fn differing(text: &str) -> Differences {
    let sweep = parse(text);
    let rows = measured(&sweep);
    let report = report(&sweep, &rows);
    let sheet = sheet(&report).unwrap();
    differences(&report, &sheet).unwrap().expect("differences")
}

/// The values of the first metric, line by line.
fn values(of: &Differences) -> Vec<String> {
    let entries = of.sheet.lines.iter().map(|line| line.entries[0].as_ref());
    entries.map(|entry| entry.unwrap().value.clone()).collect()
}

#[test]
fn tables_have_a_column_of_cases_and_published_rows_stand_in_it() {
    let sweep = parse(EXPERIMENT);
    let rows = measured(&sweep);
    let sheet = sheet(&report(&sweep, &rows)).unwrap();
    assert_eq!(sheet.axes, ["case", "scale"]);
    let at: Vec<_> = sheet.all().iter().map(|line| line.at.join("/")).collect();
    for place in ["64/0", "64/1", "64/5", "16/0", "16/5", "16/2.5"] {
        assert!(at.contains(&place.to_string()), "{place}: {at:?}");
    }
    assert_eq!(at.len(), 6);
}

#[test]
fn a_chart_over_cases_keeps_their_order() {
    let sweep = parse(EXPERIMENT);
    let rows = measured(&sweep);
    let svg = figures(&report(&sweep, &rows)).unwrap().remove(0).svg();
    let place = |text: &str| svg.find(&format!("\n{text}\n")).expect(text);
    assert!(place("64") < place("16"), "{svg}");
    assert!(svg.contains("scale 5"), "{svg}");
}

#[test]
fn what_is_crossed_in_a_case_is_compared_within_it() {
    let within = differing(EXPERIMENT);
    assert_eq!(values(&within), ["8.00", "-2.00", "-1.00", "4.00", "-1.00"]);
    assert_eq!(within.title, "Differences from scale 0, all else equal");
    // Along the cases, each scale has its own first row.
    for key in ["case", "model.resolution"] {
        let text = EXPERIMENT.replace(
            "deltas = \"guidance.scale\"",
            &format!("deltas = \"{key}\""),
        );
        assert_eq!(
            values(&differing(&text)),
            ["8.00", "6.00", "7.00", "-4.00", "-4.00"]
        );
    }
}

/// The experiment with a case that is not guided.
fn half_guided() -> String {
    let text = EXPERIMENT.replace(
        "name = \"64\"\nmodel.resolution = 64\nguidance.scale = [0, 1, 5]",
        "name = \"64\"\nmodel.resolution = 64",
    );
    let text = text.replace(
        "[guidance]\ncheckpoint = \"classifier{case}.safetensors\"\nscale = 1\n",
        "",
    );
    text.replace(
        "guidance.scale = [0, 5]",
        "guidance.scale = [0, 5]\nguidance.checkpoint = \"classifier.safetensors\"",
    )
}

#[test]
fn a_key_that_a_case_leaves_out_is_an_empty_place() {
    let sweep = parse(&half_guided());
    let rows = measured(&sweep);
    let sheet = sheet(&report(&sweep, &rows)).unwrap();
    assert_eq!(sheet.axes, ["case", "scale"]);
    let at: Vec<_> = sheet.all().iter().map(|line| line.at.join("/")).collect();
    assert_eq!(at, ["64/", "16/0", "16/5", "16/2.5"]);
    let csv = csv(&frame(&rows).unwrap()).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("cell,case,resolution,"), "{csv}");
    assert!(lines[1].starts_with("0,64,64,,,8.0,"), "{csv}");
    assert!(lines[2].starts_with("1,16,16,"), "{csv}");
}

#[test]
fn cases_without_names_have_a_column_for_each_key_and_nothing_where_they_leave_it_out() {
    let (head, _) = EXPERIMENT.split_once("[[case]]").unwrap();
    let (head, arch) = (
        head.replace("{case}", ""),
        "[[case]]\nmodel.arch.heads = 4\n",
    );
    let cases = "[[case]]\nsample.steps = 50\nsample.eta = 0.5\n\
        [[chart]]\nx = \"sample.steps\"\ny = [\"fd\"]\nby = [\"model.arch.heads\", \"sample.eta\"]\n";
    let text = format!("{head}{arch}{cases}");
    let text = text.replace("[sample]\n", "[sample]\nsampler = \"ddim\"\n");
    let sweep = parse(&text);
    let rows = measured(&sweep);
    let report = report(&sweep, &rows);
    let sheet = sheet(&report).unwrap();
    assert_eq!(sheet.axes, ["heads", "eta"]);
    let at: Vec<_> = sheet.all().iter().map(|line| line.at.join("/")).collect();
    assert_eq!(at, ["4/", "/0.5"]);
    let shown = terminal::table(&sheet, 80);
    let heads: Vec<&str> = shown.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads[..2], ["heads", "eta"], "{shown}");
    let svg = figures(&report).unwrap().remove(0).svg();
    for name in ["heads 4", "eta 0.5"] {
        assert!(svg.lines().any(|line| line.trim() == name), "{name}: {svg}");
    }
}

#[test]
fn a_chart_of_one_place_draws_its_cells_alone() {
    let text = EXPERIMENT.replace(
        "[[chart]]\nx = \"case\"\ny = [\"fd\"]\nby = \"guidance.scale\"",
        "[[chart]]\nx = \"guidance.scale\"\ny = [\"fd\"]\nby = \"case\"\nat.case = \"16\"",
    );
    let sweep = parse(&text);
    let rows = measured(&sweep);
    let figure = figures(&report(&sweep, &rows)).unwrap().remove(0);
    assert_eq!(figure.name, "fd-vs-scale-at-case-16");
    let svg = figure.svg();
    assert!(svg.contains("at case 16"), "{svg}");
    assert!(!svg.contains("case 64"), "{svg}");
}

#[test]
fn a_chart_of_evaluations_has_them_whatever_the_axes_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let net = folder.path().join("net.pt");
    std::fs::write(&net, "not a checkpoint").unwrap();
    let text = format!(
        "name = \"a\"\n[model]\ncheckpoint = \"{}\"\n[sample]\nsteps = 4\ncount = 2\n\
         [eval]\nfeatures = \"shapes\"\nweights = \"{0}\"\nreference = \"{0}\"\nmetrics = [\"fd\"]\n\
         [[case]]\nname = \"one\"\nsample.sampler = \"ddim\"\n[[case]]\nname = \"two\"\nsample.sampler = \"heun\"\n\
         [[chart]]\nx = \"evaluations\"\ny = [\"fd\"]\nby = \"case\"\n",
        net.display()
    );
    let sweep = parse(&text);
    let store = Store::new(folder.path());
    let plan = Plan::of(&sweep, &store, None).unwrap();
    let told = results::rows(&plan, &store).into_iter().map(|row| {
        let mut at = row.at.into_iter();
        at.find(|(key, _)| key == "evaluations")
            .map(|(_, value)| value)
    });
    // Heun asks twice a step but the last.
    let wanted: [Option<toml::Value>; 2] = [4, 7].map(|n| Some(toml::Value::Integer(n)));
    assert_eq!(told.collect::<Vec<_>>(), wanted);
}

/// The lines of FD over the scale, one a case: their names, and of each point whether the line goes on to it.
fn drawn(sweep: &Sweep, rows: &[Row]) -> Vec<(String, Vec<bool>)> {
    let by = ["case".to_string()];
    let shown = Shown {
        page: rows,
        x: "guidance.scale",
        by: &by,
        metric: "fd",
    };
    let lines = lines(&report(sweep, rows), &shown);
    let series = lines.series.into_iter();
    series
        .map(|series| {
            let joined = series.points.iter().map(|point| point.joined);
            (series.name, joined.collect())
        })
        .collect()
}

#[test]
fn a_line_goes_on_past_values_of_others_and_ends_where_a_score_is_missing() {
    let sweep = parse(EXPERIMENT);
    let mut rows = measured(&sweep);
    let whole = [
        ("case 64".to_string(), vec![false, true, true]),
        ("case 16".to_string(), vec![false, true]),
    ];
    assert_eq!(drawn(&sweep, &rows), whole);
    rows[1].scores.clear();
    assert_eq!(drawn(&sweep, &rows)[0].1, [false, false]);
    // A case without the axis has no line.
    rows[3].at.retain(|(key, _)| key != "guidance.scale");
    rows[4].at.retain(|(key, _)| key != "guidance.scale");
    assert_eq!(drawn(&sweep, &rows).len(), 1);
}

#[test]
fn a_line_looks_the_same_in_a_chart_that_lacks_another() {
    let sweep = parse(EXPERIMENT);
    let mut rows = measured(&sweep);
    let by = ["case".to_string()];
    let looks = |rows: &[Row], page: &[Row]| {
        let shown = Shown {
            page,
            x: "guidance.scale",
            by: &by,
            metric: "fd",
        };
        let lines = lines(&report(&sweep, rows), &shown);
        let looks = lines.series.iter().map(|series| series.look);
        (looks.collect::<Vec<_>>(), lines.looks)
    };
    assert_eq!(looks(&rows, &rows), (vec![0, 1], 2));
    // A chart of some of the page's rows.
    assert_eq!(looks(&rows[3..], &rows), (vec![1], 2));
    // A case without the axis has no line, and keeps its look.
    for row in &mut rows[..3] {
        row.at.retain(|(key, _)| key != "guidance.scale");
    }
    assert_eq!(looks(&rows, &rows), (vec![1], 2));
}

#[test]
fn a_claim_at_a_value_holds_for_a_case_without_the_axis() {
    let claim = "[[claim]]\nsource = \"a paper\"\nsays = \"guidance helps\"\nmetric = \"fd\"\n\
        better.case = \"16\"\nthan.case = \"64\"\nat.guidance.scale = 5\n";
    let sweep = parse(&format!("{}{claim}", half_guided()));
    let rows = measured(&sweep);
    let found = tested(&report(&sweep, &rows)).unwrap();
    let said =
        "Not decided here: at scale 5, FD (shapes) with case 16 minus that with case 64 is -1.000.";
    assert_eq!(found[0].sentence(), said);
}
