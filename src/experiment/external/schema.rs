//! The schemas of tables that have several forms: all keys of all forms in one table, so that an editor offers and explains
//! each. Which keys go together, `crate::experiment::schema::forms` says.

use crate::experiment::external::tables::{
    Adopted, AskedImages, AskedTraining, Evaluation, Program, Sampling, Training,
};
use crate::experiment::file::drawing::sampling::Sample;
use crate::experiment::file::eval::Eval;
use crate::experiment::file::training::train::Train;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The schema of a table in one form.
pub type Form = fn(&mut SchemaGenerator) -> Schema;

/// The forms of a table: one of a net of ours, and those of programs and of images that are there, each with the key that
/// tells it. A form may have the keys of several structs.
pub struct Forms {
    pub net: &'static [Form],
    pub told_by: &'static [(&'static str, &'static [Form])],
}

pub const SAMPLE: Forms = Forms {
    net: &[Sample::json_schema],
    told_by: &[
        ("command", &[Program::json_schema, AskedImages::json_schema]),
        ("from", &[Adopted::json_schema]),
    ],
};

pub const TRAIN: Forms = Forms {
    net: &[Train::json_schema],
    told_by: &[(
        "command",
        &[Program::json_schema, AskedTraining::json_schema],
    )],
};

pub const EVAL: Forms = Forms {
    net: &[Eval::json_schema],
    told_by: &[("command", &[Program::json_schema, Eval::json_schema])],
};

/// The keys of several tables as one: a key that several have is described by the first.
pub fn joined(parts: &[Form], generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut keys = Map::new();
    for part in parts {
        let schema = part(generator).to_value();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, schema) in properties.into_iter().flatten() {
            keys.entry(key.clone()).or_insert_with(|| schema.clone());
        }
    }
    keys
}

fn table(forms: &Forms, description: &str, generator: &mut SchemaGenerator) -> Schema {
    let parts = forms.told_by.iter().flat_map(|(_, parts)| parts.iter());
    let parts: Vec<Form> = forms.net.iter().chain(parts).copied().collect();
    json_schema!({
        "type": "object",
        "description": description,
        "additionalProperties": false,
        "properties": joined(&parts, generator),
    })
}

impl JsonSchema for Sampling {
    fn schema_name() -> Cow<'static, str> {
        "Sample".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description = "Where a cell's images come from: the net draws them; with `command`, a program makes them; with `from`, they are there already.";
        table(&SAMPLE, description, generator)
    }
}

impl JsonSchema for Training {
    fn schema_name() -> Cow<'static, str> {
        "Training".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description = "Makes the weights of `[model]` first; with `command`, a program makes a checkpoint for the program that samples.";
        table(&TRAIN, description, generator)
    }
}

impl JsonSchema for Evaluation {
    fn schema_name() -> Cow<'static, str> {
        "Evaluation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let description = "What is scored, on whose features, against what. With `command`, a program measures, beside these scores or instead of them.";
        table(&EVAL, description, generator)
    }
}
