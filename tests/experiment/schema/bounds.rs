//! Each bound in the schema is the program's own: what lies at it is taken, what lies beyond is refused by both.

use super::{faults, validator};
use fidrunner::experiment::grid::sweep::sweep;
use fidrunner::experiment::schema::whole;
use serde_json::Value;

/// Files in which a number of a table can be set without meaning anything to the rest.
const NET: &str = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsampler = \"ddim\"\nsteps = 1\ncount = 1\neta = 0.5\n[guidance]\ncheckpoint = \"b.pt\"\nscale = 1\n[upsample]\ncheckpoint = \"c.pt\"\nsteps = 1\nsampler = \"ddim\"\neta = 0.5\n";
const HEUN: &str = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsampler = \"heun\"\nsteps = 2\ncount = 1\n[upsample]\ncheckpoint = \"c.pt\"\nsteps = 2\nsampler = \"heun\"\n";
const UNI_PC: &str = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsampler = \"uni_pc\"\nsteps = 2\ncount = 1\n[upsample]\ncheckpoint = \"c.pt\"\nsteps = 2\nsampler = \"uni_pc\"\n";
const FREE: &str = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsampler = \"ddim\"\nsteps = 2\ncount = 1\n[guidance]\nmethod = \"classifier-free\"\nscale = 1\n";
const BLURRED: &str = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsampler = \"ddim\"\nsteps = 2\ncount = 1\n[guidance]\nmethod = \"self-attention\"\nscale = 1\n";
const PROJECTED: &str = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsampler = \"ddim\"\nsteps = 2\ncount = 1\n[guidance]\nmethod = \"classifier-free\"\nscale = 1\nform = \"apg\"\n";
const TRAIN: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1\n";
const POWER: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1\n[train.power_ema]\nevery = 1\n";
const HALVED: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1\n[train.distill]\nteacher = \"a.pt\"\nteacher_steps = 2\n";
const COMMAND: &str = "name = \"a\"\n[sample]\ncommand = [\"sh\", \"{out}\"]\ncount = 1\n";

/// Table, definition, and the files: a key is tried in the first that it means something to.
const TABLES: [(&str, &str, &[&str]); 13] = [
    ("model", "Model", &[NET]),
    ("model.arch", "ArchChanges", &[NET]),
    ("guidance.arch", "ArchChanges", &[NET]),
    ("model.process", "ProcessChanges", &[NET]),
    ("guidance", "Guidance", &[NET, FREE]),
    ("guidance.apg", "Apg", &[PROJECTED]),
    ("guidance.blur", "Blur", &[BLURRED]),
    ("upsample", "Upsample", &[NET, HEUN, UNI_PC]),
    ("sample", "Sample", &[NET, HEUN, UNI_PC]),
    ("sample", "Sample", &[COMMAND]),
    ("train", "Training", &[TRAIN]),
    ("train.power_ema", "PowerEma", &[POWER]),
    ("train.distill", "Distill", &[HALVED]),
];

/// Keys whose values must be those of another key, rise within a list, or end at a number that is not round.
const ELSEWHERE: [&str; 10] = [
    "train.distill.teacher_steps",
    "sample.trained_steps",
    "sample.ema",
    "sample.ema_length",
    "guidance.trained_steps",
    "guidance.ema",
    "guidance.ema_length",
    "train.power_ema.sigma_rel",
    "sample.churn_sigmas",
    "upsample.churn_sigmas",
];

fn with(file: &str, key: &str, value: &toml::Value) -> String {
    let mut table: toml::Table = toml::from_str(file).unwrap();
    let mut inner = &mut table;
    let (path, last) = key.rsplit_once('.').unwrap();
    for name in path.split('.') {
        let value = inner
            .entry(name)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        inner = value.as_table_mut().unwrap();
    }
    inner.insert(last.to_string(), value.clone());
    toml::to_string(&table).unwrap()
}

/// Values at the bounds of a number, each with whether it is inside.
fn probes(schema: &Value) -> Vec<(toml::Value, bool)> {
    let is_whole = schema["type"] == "integer";
    let number = |value: f64| {
        if is_whole {
            toml::Value::Integer(value as i64)
        } else {
            toml::Value::Float(value)
        }
    };
    let step = if is_whole { 1.0 } else { 1e-9 };
    let mut probes = Vec::new();
    for (keyword, beyond, open) in [
        ("minimum", -step, false),
        ("exclusiveMinimum", 0.0, true),
        ("maximum", step, false),
        ("exclusiveMaximum", 0.0, true),
    ] {
        let Some(bound) = schema.get(keyword).and_then(Value::as_f64) else {
            continue;
        };
        probes.push((number(bound + beyond), false));
        if !open {
            probes.push((number(bound), true));
        }
    }
    probes
}

#[test]
fn the_bounds_of_the_schema_are_those_of_the_program() {
    let schema = whole::schema();
    let validator = validator();
    let mut seen = 0;
    for (table, definition, files) in TABLES {
        for file in files {
            let taken = sweep(file, &[], &[]);
            assert!(taken.is_ok(), "{file}\n{:?}", taken.err());
        }
        for (key, schema) in schema["definitions"][definition]["properties"]
            .as_object()
            .unwrap()
        {
            let key = format!("{table}.{key}");
            let list = schema.get("items").filter(|_| schema["type"] == "array");
            let number = list.unwrap_or(schema);
            let is_number = number["type"] == "integer" || number["type"] == "number";
            if !is_number || ELSEWHERE.contains(&key.as_str()) {
                continue;
            }
            let as_written = |value: toml::Value| {
                if list.is_some() {
                    toml::Value::Array(vec![value])
                } else {
                    value
                }
            };
            let usual = if number["type"] == "integer" {
                toml::Value::Integer(1)
            } else {
                toml::Value::Float(0.5)
            };
            let usual = as_written(usual);
            // A key of another form of the table is refused with any value.
            if !faults(&validator, &with(files[0], &key, &usual)).is_empty() {
                continue;
            }
            let means = |file: &&&str| sweep(&with(file, &key, &usual), &[], &[]).is_ok();
            let Some(file) = files.iter().find(means) else {
                panic!("{key} means nothing in any of its files")
            };
            for (value, inside) in probes(number) {
                let value = as_written(value);
                let text = with(file, &key, &value);
                let taken = sweep(&text, &[], &[]);
                assert_eq!(taken.is_ok(), inside, "{key} = {value}: {:?}", taken.err());
                let said = faults(&validator, &text);
                assert_eq!(said.is_empty(), inside, "{key} = {value}: {said:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
