//! `runner report --format tensorboard`, read without TensorBoard and by TensorBoard's own reader.

use crate::desk::Desk;
use crate::hand_over::events::{Field, Message, records};
use crate::hand_over::read_by_python;
use crate::hand_over::study::{half_done, line, number, report};
use crate::support::program::Runner;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE: &str = "events.out.tfevents.0.runner";
const DONE: &str = "cell0_steps=2";
const OPEN: &str = "cell1_steps=3";

/// What one file says: scalars by tag with their step, the HParams plugin's messages by tag, images.
#[derive(Default)]
struct Run {
    scalars: BTreeMap<String, (u64, f32)>,
    plugin: BTreeMap<String, Vec<u8>>,
    images: Vec<(u64, u64, Vec<u8>)>,
    times: Vec<f64>,
}

fn run(desk: &Desk, folder: &str) -> Run {
    let path = desk
        .path("reports/small/tensorboard")
        .join(folder)
        .join(FILE);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let events = records(&bytes);
    assert_eq!(Message::of(events[0]).text(3), "brain.Event:2");
    let mut run = Run::default();
    for event in events {
        let event = Message::of(event);
        run.times.extend(event.get(1).map(|time| match time {
            Field::Double(time) => time,
            other => panic!("{other:?}"),
        }));
        let Some(summary) = event.message(5) else {
            continue;
        };
        let value = summary.message(1).unwrap();
        let tag = value.text(1).to_string();
        if let Some(Field::Float(scalar)) = value.get(2) {
            run.scalars.insert(tag, (event.varint(2), scalar));
        } else if let Some(image) = value.message(4) {
            assert_eq!((tag.as_str(), image.varint(3)), ("samples", 3));
            let png = image.bytes(4).unwrap().to_vec();
            run.images.push((image.varint(1), image.varint(2), png));
        } else {
            let plugin = value.message(9).unwrap().message(1).unwrap();
            assert_eq!(plugin.text(1), "hparams");
            run.plugin.insert(tag, plugin.bytes(2).unwrap().to_vec());
        }
    }
    run
}

#[test]
fn the_grid_is_a_run_a_cell_and_a_table_of_hyperparameters() {
    let desk = half_done();
    report(&desk, "csv,tensorboard").says("wrote reports/small/table.csv");
    let table = line(&desk, "0");
    let step = number(&table, "step");
    assert_eq!(step, 3600.0);

    let done = run(&desk, DONE);
    let tags: Vec<&str> = done.scalars.keys().map(String::as_str).collect();
    assert_eq!(
        tags,
        [
            "fd",
            "fd_high",
            "fd_low",
            "precision",
            "precision_high",
            "precision_low"
        ]
    );
    for (tag, found) in &done.scalars {
        assert_eq!(*found, (step as u64, number(&table, tag) as f32), "{tag}");
    }
    // Eight images in one row, as the report's own grid has them.
    report(&desk, "png");
    let own = std::fs::read(desk.path("reports/small/mosaic-0.png")).unwrap();
    let [(height, width, png)] = &done.images[..] else {
        panic!("{} images", done.images.len());
    };
    assert_eq!(png, &own);
    let side = |at: usize| u64::from(u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
    assert_eq!((*width, *height), (side(16), side(20)));
    // The time is that of the results: after 2026 began and before now, the same in every event.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(done.times[0] > 1_767_225_600.0 && done.times[0] <= now.as_secs_f64());
    assert!(done.times.iter().all(|time| *time == done.times[0]));

    let open = run(&desk, OPEN);
    assert!(open.scalars.is_empty() && open.images.is_empty());
    for (run, steps, status) in [(&done, 2.0, Some(1)), (&open, 3.0, None)] {
        let start = Message::of(&run.plugin["_hparams_/session_start_info"]);
        let entry = start.message(3).unwrap().message(1).unwrap();
        assert_eq!(entry.text(1), "sample.steps");
        assert_eq!(entry.message(2).unwrap().get(2), Some(Field::Double(steps)));
        let end = run.plugin.get("_hparams_/session_end_info");
        let end = end.map(|end| Message::of(end).message(4).unwrap().varint(1));
        assert_eq!(end, status);
    }

    let top = run(&desk, "");
    let experiment = Message::of(&top.plugin["_hparams_/experiment"]);
    let experiment = experiment.message(2).unwrap();
    assert_eq!(experiment.text(6), "small");
    let axis = experiment.message(4).unwrap();
    assert_eq!((axis.text(1), axis.text(2)), ("sample.steps", "steps"));
    assert_eq!(axis.varint(4), 3, "a number");
    let domain = axis.message(5).unwrap().all(1);
    assert_eq!(domain.len(), 2);
    let metrics = experiment.all(5).into_iter().map(|metric| match metric {
        Field::Bytes(bytes) => Message::of(bytes).message(1).unwrap().text(2).to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        metrics.collect::<Vec<_>>(),
        [
            "fd",
            "fd_low",
            "fd_high",
            "precision",
            "precision_low",
            "precision_high"
        ]
    );
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = walkdir::WalkDir::new(folder).into_iter().flatten();
    let files = all.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            (
                entry.path().to_path_buf(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn event_files_are_written_when_asked_for_the_same_each_time_and_leave_when_stale() {
    let desk = half_done();
    let reports = desk.path("reports/small");
    desk.done(&["report", "small.toml"]);
    assert!(!reports.join("tensorboard").exists() && !reports.join("card.md").exists());

    report(&desk, "tensorboard").says("wrote reports/small/tensorboard/\n");
    let first = tree(&reports);
    report(&desk, "tensorboard");
    assert_eq!(tree(&reports), first);

    // Another grid has other folders; a file that somebody else put into one stays, with its folder.
    let text = std::fs::read_to_string(desk.path("small.toml")).unwrap();
    desk.write("small.toml", &text.replace("[2, 3]", "[2, 4, 5]"));
    let foreign = reports.join("tensorboard").join(OPEN).join("notes.txt");
    std::fs::write(&foreign, "mine").unwrap();
    report(&desk, "tensorboard");
    let events: Vec<PathBuf> = tree(&reports.join("tensorboard")).into_keys().collect();
    let below = |name: &str| reports.join("tensorboard").join(name);
    assert_eq!(
        events,
        [
            below(&format!("{DONE}/{FILE}")),
            foreign.clone(),
            below(&format!("cell1_steps=4/{FILE}")),
            below(&format!("cell2_steps=5/{FILE}")),
            below(FILE),
        ]
    );
    // Other formats leave them alone.
    report(&desk, "csv");
    assert!(below(&format!("{DONE}/{FILE}")).exists());

    let why = desk.refused(&["report", "small.toml", "--format", "tensorbord"]);
    assert!(
        why.contains("unknown format `tensorbord`; allowed: html, csv, parquet, md, tex, svg, png, pdf, bib, tensorboard, card"),
        "{why}"
    );
}

/// Prints what TensorBoard's own reader and the HParams plugin's own messages find below a folder, as JSON.
const READER: &str = r#"
import json, os, sys
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata
except ImportError as error:
    print("missing:", error)
    sys.exit(0)
found = {}
for folder, _, files in os.walk(sys.argv[1]):
    if not files:
        continue
    read = EventAccumulator(folder, size_guidance={"images": 0, "scalars": 0})
    read.Reload()
    run = {"scalars": {}, "hparams": {}, "images": []}
    for tag in read.Tags()["scalars"]:
        run["scalars"][tag] = [[e.step, e.value] for e in read.Scalars(tag)]
    for tag in read.Tags()["images"]:
        run["images"] += [[tag, e.step, e.width, e.height] for e in read.Images(tag)]
    for tag, content in read.PluginTagToContent("hparams").items():
        if tag == metadata.EXPERIMENT_TAG:
            told = metadata.parse_experiment_plugin_data(content)
            run["hparams"]["keys"] = [[h.name, list(h.domain_discrete)] for h in told.hparam_infos]
            run["hparams"]["metrics"] = [m.name.tag for m in told.metric_infos]
        elif tag == metadata.SESSION_START_INFO_TAG:
            told = metadata.parse_session_start_info_plugin_data(content)
            run["hparams"]["start"] = {k: v.number_value for k, v in told.hparams.items()}
        else:
            told = metadata.parse_session_end_info_plugin_data(content)
            run["hparams"]["status"] = told.status
    found[os.path.relpath(folder, sys.argv[1])] = run
print(json.dumps(found))
"#;

#[test]
fn tensorboard_itself_reads_the_event_files() {
    let desk = half_done();
    report(&desk, "csv,tensorboard");
    let folder = desk.path("reports/small/tensorboard");
    let Some(found) = read_by_python(READER, &folder, "tensorboard") else {
        return;
    };
    let table = line(&desk, "0");
    let done = &found[DONE];
    for tag in [
        "fd",
        "fd_low",
        "fd_high",
        "precision",
        "precision_low",
        "precision_high",
    ] {
        let [point] = done["scalars"][tag].as_array().unwrap().as_slice() else {
            panic!("{tag} has several points");
        };
        assert_eq!(point[0], 3600);
        let value = point[1].as_f64().unwrap() as f32;
        assert_eq!(value, number(&table, tag) as f32, "{tag}");
    }
    assert_eq!(done["images"][0][0], "samples");
    assert_eq!(done["images"].as_array().map(Vec::len), Some(1));
    let start = |steps: f64| serde_json::json!({"sample.steps": steps});
    assert_eq!(
        done["hparams"],
        serde_json::json!({"start": start(2.0), "status": 1})
    );
    assert_eq!(
        found[OPEN]["hparams"],
        serde_json::json!({"start": start(3.0)})
    );
    assert_eq!(
        found["."]["hparams"]["keys"],
        serde_json::json!([["sample.steps", [2.0, 3.0]]])
    );
    assert_eq!(found["."]["hparams"]["metrics"][0], "fd");
    assert_eq!(found.as_object().map(|runs| runs.len()), Some(3));
}

#[test]
fn the_help_names_the_formats() {
    let help = Runner::new().args(["report", "--help"]).succeeds();
    help.prints("tensorboard, card")
        .prints("--format tensorboard");
}
