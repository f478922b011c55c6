//! `[grid]`, `[[zip]]` and `[[case]]` write the keys of the file again, with lists of values; `at`, `better` and `than` name
//! points on the axes. Their schemas are the tables of the file once more, with other values at the leaves.

use crate::experiment::schema::cells::first_sentence;
use serde_json::{Map, Value, json};

/// Where keys of the file are written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// A list of values, or `"*"`.
    Grid,
    /// A list of values.
    Zip,
    /// A value, or a list of values.
    Case,
    /// A value on an axis.
    Point,
}

impl Mirror {
    pub const ALL: [Mirror; 4] = [Mirror::Grid, Mirror::Zip, Mirror::Case, Mirror::Point];

    /// What the definition of the table `name` is called here.
    pub fn of(self, name: &str) -> String {
        format!("{name}In{self:?}")
    }

    /// The whole of it: `root` holds the tables of the file by their names, to be mirrored.
    pub fn of_file(self, root: &Map<String, Value>, definitions: &mut Map<String, Value>) -> Value {
        let mut keys = Map::new();
        for (key, schema) in root {
            let place = format!("#/properties/{key}");
            keys.insert(key.clone(), self.key(schema, &place, definitions));
        }
        let name = match self {
            Mirror::Case => Some((
                "name",
                json!({
                    "description": "What the case is called: its value on the axis `case`. All cases have one or none has.",
                    "type": "string",
                    "pattern": r"\S",
                    "examples": ["imagenet 64"],
                }),
            )),
            Mirror::Point => Some((
                "case",
                json!({ "description": "A case by its name.", "type": "string" }),
            )),
            Mirror::Grid | Mirror::Zip => None,
        };
        if let Some((key, schema)) = name {
            keys.insert(key.into(), schema);
        }
        json!({ "type": "object", "additionalProperties": false, "properties": keys })
    }

    /// A key whose schema in the file is `schema`, which stands at `place`.
    fn key(self, schema: &Value, place: &str, definitions: &mut Map<String, Value>) -> Value {
        let is_table = |name: &String| {
            let definition = definitions.get(name);
            definition.is_some_and(|definition| definition.get("properties").is_some())
        };
        if let Some(table) = referenced(schema).filter(is_table) {
            let name = self.of(&table);
            if !definitions.contains_key(&name) {
                let mirrored = self.table(&table, definitions);
                definitions.insert(name.clone(), mirrored);
            }
            return json!({ "$ref": format!("#/definitions/{name}") });
        }
        if schema.get("type") == Some(&json!("object")) {
            return self.open_table(schema, place);
        }
        self.leaf(schema, place)
    }

    /// The table `name` of the definitions, mirrored. A whole table may be the value of an axis too.
    fn table(self, name: &str, definitions: &mut Map<String, Value>) -> Value {
        let keys = definitions
            .get(name)
            .and_then(|table| table.get("properties"));
        let keys = keys.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut mirrored = Map::new();
        for (key, schema) in &keys {
            let place = format!("#/definitions/{name}/properties/{key}");
            mirrored.insert(key.clone(), self.key(schema, &place, definitions));
        }
        let mut table = json!({ "additionalProperties": false, "properties": mirrored });
        self.or_list(
            &mut table,
            json!({ "$ref": format!("#/definitions/{name}") }),
        );
        table
    }

    /// A table of any names, such as `[vars]`.
    fn open_table(self, schema: &Value, place: &str) -> Value {
        let values = schema.get("additionalProperties").unwrap_or(&Value::Null);
        let inner = self.leaf(values, &format!("{place}/additionalProperties"));
        let mut table = json!({ "additionalProperties": inner });
        if let Some(names) = schema.get("propertyNames") {
            table["propertyNames"] = names.clone();
        }
        self.or_list(&mut table, json!({ "$ref": place }));
        table
    }

    /// Lets `table`, the schema of a table, be a list of whole tables as well, where an axis may have one.
    fn or_list(self, table: &mut Value, whole: Value) {
        if self == Mirror::Point {
            table["type"] = json!("object");
        } else {
            table["type"] = json!(["object", "array"]);
            table["items"] = whole;
            table["minItems"] = json!(1);
        }
    }

    fn leaf(self, schema: &Value, place: &str) -> Value {
        let mut leaf = self.values(schema, place);
        if let Some(said) = schema.get("description").and_then(Value::as_str)
            && self != Mirror::Point
        {
            leaf["description"] = json!(format!("{}.", first_sentence(said)));
        }
        leaf
    }

    fn values(self, schema: &Value, place: &str) -> Value {
        let value = json!({ "$ref": place });
        let list = json!({ "type": "array", "minItems": 1, "items": value });
        let each_once =
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": value });
        match self {
            Mirror::Grid => json!({
                "type": ["array", "string"],
                "minItems": 1,
                "uniqueItems": true,
                "items": value,
                "pattern": r"^\*$",
            }),
            Mirror::Zip => list,
            Mirror::Case => match lists(schema) {
                Lists::Never => json!({ "anyOf": [value, each_once] }),
                // A list is several values here, so that a value that is a list stands in one.
                Lists::Always => each_once,
                Lists::Also => json!({
                    "anyOf": [{ "allOf": [{ "not": { "type": "array" } }, value] }, each_once],
                }),
            },
            Mirror::Point => json!({ "not": { "type": "object" } }),
        }
    }
}

/// Whether the values of a key are lists.
enum Lists {
    Never,
    Always,
    Also,
}

fn lists(schema: &Value) -> Lists {
    let is_list = |schema: &Value| match schema.get("type") {
        Some(Value::Array(types)) => types.contains(&json!("array")),
        only => only == Some(&json!("array")),
    };
    let forms = schema.get("anyOf").and_then(Value::as_array);
    if is_list(schema) {
        Lists::Always
    } else if forms.is_some_and(|forms| forms.iter().any(is_list)) {
        Lists::Also
    } else {
        Lists::Never
    }
}

/// The definition that a key's schema leads to, if it does.
pub fn referenced(schema: &Value) -> Option<String> {
    let all = schema.get("allOf").and_then(Value::as_array);
    let one = match all.map(Vec::as_slice) {
        Some([only]) => only,
        _ => schema,
    };
    let name = one.get("$ref")?.as_str()?.strip_prefix("#/definitions/")?;
    (!name.contains('/')).then(|| name.to_string())
}
