//! The training step of a cell: where it is known, and the column of the tables.

use crate::support::program::shipped;
use crate::support::reports::{parse, small};
use fidrunner::jobs::inputs::training_steps::TrainingSteps;
use fidrunner::report::table::frame;

/// The steps of every cell of an experiment.
fn steps(text: &str) -> Vec<Option<u64>> {
    let sweep = parse(text);
    let mut steps = TrainingSteps::default();
    sweep
        .cells
        .iter()
        .map(|cell| steps.of(&cell.spec))
        .collect()
}

#[test]
fn a_net_that_was_trained_here_knows_its_step() {
    let trained = r#"
name = "a"
[model]
preset = "shapes16"
[train]
data = "shapes"
steps = 600
batch = 4
learning_rate = 1e-3
keep = [200]
[sample]
steps = 2
count = 4
"#;
    assert_eq!(steps(trained), [Some(600)]);
    let kept = format!("{trained}[grid]\nsample.trained_steps = [200, 600]\n");
    assert_eq!(steps(&kept), [Some(200), Some(600)]);

    let card = shipped("experiments/shapes/unet16.safetensors");
    for (checkpoint, known) in [
        (card.as_str(), Some(3600)),
        ("gone.safetensors", None),
        ("net.pt", None),
    ] {
        let text = format!(
            "name = \"a\"\n[model]\ncheckpoint = \"{checkpoint}\"\n[sample]\nsteps = 2\ncount = 4\n"
        );
        assert_eq!(steps(&text), [known], "{checkpoint}");
    }
}

#[test]
fn tables_have_the_column_where_a_cell_has_a_step() {
    let (_, mut rows) = small();
    let csv = |rows: &[_]| {
        let csv = frame::csv(&frame::frame(rows).unwrap()).unwrap();
        String::from_utf8(csv).unwrap()
    };
    assert!(csv(&rows).starts_with("cell,steps,fd,"));
    rows[1].step = Some(4000);
    let table = csv(&rows);
    let starts = [
        "cell,steps,step,fd,",
        "0,25,,3.5,",
        "1,50,4000,2.5,",
        "2,100,,,",
    ];
    for (line, start) in table.lines().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}
