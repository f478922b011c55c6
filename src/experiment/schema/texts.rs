//! Texts of the experiment file that hold more than free words, as JSON Schema has them.

use crate::experiment::catalogue::{self, SCHEME};
use crate::experiment::nets::arch::Task;
use crate::experiment::nets::presets;
use schemars::Schema;
use serde_json::{Value, json};

/// A text in which `{key}` takes another value of the cell.
pub const TEMPLATE: &str = r"\{[^{}]+\}";

/// What the definition of [`paths`] is called.
pub const PATH: &str = "PathOrFetched";

/// The steps that are kept of a process: `ddim25`, or sections such as `10,10,20`.
const SECTIONS: &str = r"^ddim\+?[0-9]+$|^\s*\+?[0-9]+\s*(,\s*\+?[0-9]+\s*)*$|\{[^{}]+\}";

/// A net by the name of its preset, of those that do one of `tasks`; of all where there are none.
fn presets_for(schema: &mut Schema, tasks: &[Task]) {
    let known = presets::NAMES.into_iter().filter(|name| {
        let arch = presets::arch(name).map(|(arch, _)| arch);
        arch.is_some_and(|arch| tasks.is_empty() || tasks.contains(&arch.task()))
    });
    schema.insert("enum".into(), known.collect::<Value>());
}

pub fn any_preset(schema: &mut Schema) {
    presets_for(schema, &[]);
}

pub fn guide_preset(schema: &mut Schema) {
    presets_for(schema, &[Task::Classify, Task::Denoise]);
}

pub fn upsampler_preset(schema: &mut Schema) {
    presets_for(schema, &[Task::Upsample]);
}

/// A path, or `fetch:NAME` of what `runner fetch` gets.
pub fn path_or_fetched(schema: &mut Schema) {
    schema.remove("type");
    schema.insert(
        "allOf".into(),
        json!([{ "$ref": format!("#/definitions/{PATH}") }]),
    );
}

/// The definition of [`path_or_fetched`].
pub fn paths() -> Value {
    let names = catalogue::all().iter();
    let names: Vec<String> = names
        .map(|entry| format!("{SCHEME}{}", entry.name))
        .collect();
    let files = catalogue::all().iter().map(|entry| escaped(entry.file()));
    let files: Vec<String> = files.collect();
    json!({ "anyOf": [
            { "description": "A path.", "type": "string", "pattern": format!("^(?!{SCHEME})|{TEMPLATE}") },
            { "description": "A file that `runner fetch` gets, by its name.", "enum": names },
            { "description": "The same, by its file name.", "type": "string", "pattern": format!("^{SCHEME}({})$", files.join("|")) },
        ] })
}

/// `text` as a regular expression that fits nothing else.
fn escaped(text: &str) -> String {
    let special = |c: char| !c.is_alphanumeric() && !"-_/".contains(c);
    let escape = |c: char| {
        let slash = special(c).then_some('\\');
        slash.into_iter().chain([c])
    };
    text.chars().flat_map(escape).collect()
}

/// `clusters:K`.
pub fn clusters(schema: &mut Schema) {
    let pattern = format!(r"^clusters:\+?[0-9]+$|{TEMPLATE}");
    schema.insert("pattern".into(), pattern.into());
}

/// A count of steps, or which are kept as text.
pub fn steps(schema: &mut Schema) {
    let Some(forms) = schema.get_mut("anyOf").and_then(Value::as_array_mut) else {
        return;
    };
    for form in forms.iter_mut().filter_map(Value::as_object_mut) {
        if form.get("type") == Some(&json!("string")) {
            form.insert("pattern".into(), json!(SECTIONS));
        } else {
            form.insert("minimum".into(), json!(1));
        }
    }
}

/// A length of time has a number in it.
pub fn duration(schema: &mut Schema) {
    schema.insert("pattern".into(), json!(r"[0-9]|\{"));
}

/// A text that is not blank.
pub fn not_blank(schema: &mut Schema) {
    schema.insert("pattern".into(), json!(r"\S"));
}

/// The name of a study, which names its folder below `reports/` too.
pub fn study_name(schema: &mut Schema) {
    schema.insert("pattern".into(), json!(r"^[^./\\:*?<>|{}][^/\\:*?<>|{}]*$"));
}

/// Values of the user's own: single values under names that a text can ask for.
pub fn variables(schema: &mut Schema) {
    schema.insert("propertyNames".into(), json!({ "pattern": "^[^.{}=]+$" }));
    schema.insert(
        "additionalProperties".into(),
        json!({ "type": ["string", "number", "boolean"] }),
    );
}
