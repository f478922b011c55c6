//! The files that are made from the schema are what the program prints, and shipped experiments lead to it.

use super::{root, shipped};
use fidrunner::experiment::guided_diffusion::flags;
use fidrunner::experiment::nets::presets;
use fidrunner::experiment::schema::{adm, page, whole};
use serde_json::Value;

/// Fails with the command that makes the file anew.
fn is_as_printed(path: &str, printed: &str, options: &str) {
    let committed = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(
        committed == printed,
        "{path} is not what the program prints now: runner schema{options} > {path}"
    );
}

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    is_as_printed("experiments/schema.json", &whole::text(), "");
    let parsed: Value = serde_json::from_str(&whole::text()).unwrap();
    assert_eq!(parsed, whole::schema());
}

#[test]
fn the_committed_page_is_the_one_that_is_printed() {
    is_as_printed("docs/keys.md", &page::page(), " --markdown");
}

#[test]
fn every_shipped_file_begins_with_the_line_that_leads_to_the_schema() {
    let schema = root()
        .join("experiments/schema.json")
        .canonicalize()
        .unwrap();
    for file in shipped() {
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().next().unwrap();
        let path = line.strip_prefix("#:schema ");
        let path = path.unwrap_or_else(|| panic!("{}: {line}", file.display()));
        assert!(path.starts_with("./") || path.starts_with("../"), "{path}");
        let leads = file.parent().unwrap().join(path).canonicalize();
        assert_eq!(leads.ok().as_ref(), Some(&schema), "{}", file.display());
    }
}

/// The schema of the dotted key, through the definitions.
fn at<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let mut found = schema;
    for name in key.split('.') {
        if let Some(definition) = found.get("$ref").and_then(Value::as_str) {
            found = schema.pointer(definition.strip_prefix('#')?)?;
        }
        found = found.get("properties")?.get(name)?;
    }
    Some(found)
}

#[test]
fn every_key_is_described_and_every_value_has_an_example() {
    let schema = whole::schema();
    let definitions = schema["definitions"].as_object().unwrap();
    let mut seen = 0;
    for (name, table) in definitions {
        let mirrored = ["InGrid", "InZip", "InCase"]
            .iter()
            .any(|end| name.ends_with(end));
        let by_hand = ["ChoosesForm", "CompleteFile"].contains(&name.as_str());
        if by_hand || name.ends_with("InPoint") {
            continue;
        }
        for (key, schema) in table["properties"].as_object().into_iter().flatten() {
            if schema.get("$ref").is_some() {
                continue;
            }
            let said = schema.get("description").and_then(Value::as_str);
            let is_table = schema
                .get("type")
                .is_some_and(|t| t.to_string().contains("object"));
            assert!(
                said.is_some_and(|said| said.ends_with('.')) || is_table,
                "{name} {key}: {said:?}"
            );
            let is_place = schema
                .get("allOf")
                .is_some_and(|all| all.to_string().contains("FileInPoint"));
            let has_example = schema["examples"]
                .as_array()
                .is_some_and(|list| !list.is_empty());
            assert!(
                mirrored || is_place || has_example,
                "{name} {key} has no example"
            );
            seen += 1;
        }
    }
    assert!(seen > 400, "{seen}");
}

#[test]
fn the_page_names_every_flag_of_guided_diffusion_with_a_key_that_there_is() {
    let schema = whole::schema();
    for (flag, key, _) in adm::FLAGS {
        let known =
            flags::FLAGS.iter().any(|(name, _)| name == flag) || flags::TRAINING.contains(flag);
        assert!(known, "guided-diffusion has no flag --{flag}");
        assert!(
            key.is_empty() || at(&schema, key).is_some(),
            "there is no key {key}"
        );
    }
    let all = flags::FLAGS
        .iter()
        .map(|(flag, _)| flag)
        .chain(&flags::TRAINING);
    for flag in all {
        assert!(
            adm::FLAGS.iter().any(|(name, _, _)| name == flag),
            "--{flag} is not in the table"
        );
    }
}

#[test]
fn the_page_has_every_preset_and_every_key() {
    let page = page::page();
    for name in presets::NAMES {
        assert!(page.contains(&format!("\n| `{name}` | ")), "{name}");
    }
    let schema = whole::schema();
    for table in [
        "Model",
        "ArchChanges",
        "ProcessChanges",
        "Training",
        "Guidance",
        "Sample",
        "Upsample",
        "Evaluation",
        "Chart",
        "Published",
        "Claim",
        "ReportOptions",
    ] {
        for (key, schema) in schema["definitions"][table]["properties"]
            .as_object()
            .unwrap()
        {
            let is_table = schema
                .get("$ref")
                .is_some_and(|name| name != "#/definitions/Metric");
            assert!(
                is_table || page.contains(&format!("\n| `{key}` | ")),
                "{table} {key}"
            );
        }
    }
}
