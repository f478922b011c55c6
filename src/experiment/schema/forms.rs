//! What keys demand of each other, as far as a schema can say it: which belong to one form of a table, and which must be
//! there in a file that stands for itself.

use crate::experiment::external::schema::{EVAL, Form, Forms, SAMPLE, TRAIN, joined};
use crate::experiment::file::experiment::{Guidance, Train, Upsample};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Tables that no axis, and no file that this one starts from, gives a key to.
pub const WHOLE: [&str; 4] = ["Chart", "Published", "Claim", "Defaults"];

/// The rules of the whole file, and the definitions that they use.
pub fn rules(generator: &mut SchemaGenerator, definitions: &mut Map<String, Value>) -> Vec<Value> {
    let chosen = json!({ "anyOf": [{ "required": ["command"] }, { "required": ["from"] }] });
    definitions.insert(
        "ChoosesForm".into(),
        json!({ "required": ["sample"], "properties": { "sample": chosen } }),
    );
    let chooses = json!({ "$ref": "#/definitions/ChoosesForm" });
    definitions.insert("CompleteFile".into(), complete(generator));
    let from_elsewhere =
        ["defaults", "grid", "zip", "case"].map(|table| json!({ "required": [table] }));
    vec![
        // No axis can give the name.
        json!({ "if": { "not": { "required": ["defaults"] } }, "then": { "required": ["name"] } }),
        json!({
            "if": { "not": { "anyOf": from_elsewhere } },
            "then": { "$ref": "#/definitions/CompleteFile" },
        }),
        // Where an axis chooses the form of [sample], keys of all forms stand side by side; and what tells the form may
        // stand in the file that this one starts from.
        json!({
            "if": { "anyOf": [
                { "required": ["defaults"] },
                { "required": ["grid"], "properties": { "grid": chooses } },
                { "required": ["zip"], "properties": { "zip": { "contains": chooses } } },
                { "required": ["case"], "properties": { "case": { "contains": chooses } } },
            ] },
            "else": { "properties": {
                "sample": one_form(&SAMPLE, generator),
                "train": one_form(&TRAIN, generator),
                "eval": one_form(&EVAL, generator),
            } },
        }),
    ]
}

/// Keys of one form alone.
fn one_form(forms: &Forms, generator: &mut SchemaGenerator) -> Value {
    let mut names =
        |parts: &[Form]| -> Vec<String> { joined(parts, generator).keys().cloned().collect() };
    let mut rule = json!({ "propertyNames": { "enum": names(forms.net) } });
    for (key, parts) in forms.told_by.iter().rev() {
        rule = json!({
            "if": { "required": [key] },
            "then": {
                "propertyNames": { "enum": names(parts) },
                "properties": { "command": { "minItems": 1 } },
            },
            "else": rule,
        });
    }
    rule
}

/// Keys that `parts` must have where nothing else gives them.
pub fn required(parts: &[Form], generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut names = Vec::new();
    for part in parts {
        let schema = part(generator).to_value();
        let required = schema.get("required").and_then(Value::as_array);
        names.extend(required.into_iter().flatten().cloned());
    }
    names
}

/// A file without axes, which starts from no other: nothing but `--set` can add to it.
fn complete(generator: &mut SchemaGenerator) -> Value {
    let mut of_forms = |forms: &Forms| {
        let mut rule = json!({ "required": required(forms.net, generator) });
        for (key, parts) in forms.told_by.iter().rev() {
            let names = required(parts, generator);
            rule =
                json!({ "if": { "required": [key] }, "then": { "required": names }, "else": rule });
        }
        rule
    };
    let (sample, train) = (of_forms(&SAMPLE), of_forms(&TRAIN));
    let scores = required(EVAL.net, generator);
    let all_scores = json!({ "required": scores });
    let any_score = joined(EVAL.net, generator);
    let any_score = any_score.keys().map(|key| json!({ "required": [key] }));
    let any_score: Vec<Value> = any_score.collect();
    json!({
        "description": "A file without axes, which starts from no other, has every key that is needed.",
        "anyOf": [{ "required": ["train"] }, { "required": ["sample"] }],
        "dependencies": { "guidance": ["sample"], "upsample": ["sample"], "eval": ["sample"] },
        "properties": {
            "sample": sample,
            "train": train,
            "upsample": { "required": required(&[Upsample::json_schema], generator) },
            "guidance": {
                "required": required(&[Guidance::json_schema], generator),
                "properties": { "train": { "required": required(&[Train::json_schema], generator) } },
            },
            // A program may measure alone.
            "eval": {
                "if": { "required": ["command"] },
                "then": { "if": { "anyOf": any_score }, "then": all_scores },
                "else": all_scores,
            },
        },
    })
}
