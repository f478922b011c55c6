//! `runner report --format card`: the results in the YAML at the head of a model card.

use crate::desk::Desk;
use crate::hand_over::read_by_python;
use crate::hand_over::study::{half_done, line, number, report};
use crate::support::files::sha256;
use crate::support::program::repository;
use yaml_rust2::{Yaml, YamlLoader};

fn card(desk: &Desk) -> String {
    std::fs::read_to_string(desk.path("reports/small/card.md")).unwrap()
}

/// The YAML between the lines of three hyphens, and what follows.
fn parts(card: &str) -> (&str, &str) {
    let rest = card.strip_prefix("---\n").expect(card);
    rest.split_once("\n---\n").expect(card)
}

#[test]
fn a_card_has_a_result_a_finished_cell_with_all_that_it_takes_to_read_it() {
    let desk = half_done();
    report(&desk, "csv,md,card").says("card.md");
    let card = card(&desk);
    let (head, body) = parts(&card);
    assert!(
        head.starts_with("# 1 of 2 cells; missing: cell 1 (not run)\n"),
        "{head}"
    );
    let table = std::fs::read_to_string(desk.path("reports/small/table.md")).unwrap();
    assert_eq!(body, format!("\n# small\n\n{table}"));

    let yaml = &YamlLoader::load_from_str(head).unwrap()[0];
    let models = yaml["model-index"].as_vec().unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0]["name"].as_str(), Some("small"));
    let results = models[0]["results"].as_vec().unwrap();
    assert_eq!(results.len(), 1);
    let (task, dataset) = (&results[0]["task"], &results[0]["dataset"]);
    assert_eq!(
        task["type"].as_str(),
        Some("unconditional-image-generation")
    );
    assert_eq!(task["name"].as_str(), Some("Image generation, steps 2"));
    assert_eq!(dataset["name"].as_str(), Some("shapes16"));
    assert_eq!(dataset["type"].as_str(), Some("shapes16"));
    let digest = |file: &str| Yaml::String(sha256(&std::fs::read(repository(file)).unwrap()));
    let reference = digest("reference_stats/shapes16.npz");
    assert_eq!(dataset["args"]["reference_sha256"], reference);

    let metrics = results[0]["metrics"].as_vec().unwrap();
    let types: Vec<&str> = metrics.iter().filter_map(|m| m["type"].as_str()).collect();
    assert_eq!(types, ["fd", "precision"]);
    assert_eq!(metrics[0]["name"].as_str(), Some("FD (shapes)"));
    let line = line(&desk, "0");
    for metric in metrics {
        let name = metric["type"].as_str().unwrap();
        let args = &metric["args"];
        for (found, column) in [
            (&metric["value"], name.to_string()),
            (&args["interval_95_low"], format!("{name}_low")),
            (&args["interval_95_high"], format!("{name}_high")),
        ] {
            assert_eq!(found.as_f64(), Some(number(&line, &column)), "{column}");
        }
        assert_eq!(args["count"].as_i64(), Some(8));
        assert_eq!(args["cell"].as_i64(), Some(0));
        assert_eq!(args["sample.steps"].as_i64(), Some(2));
        assert_eq!(args["training_steps"].as_i64(), Some(3600));
        let net = digest("experiments/shapes/unet16.safetensors");
        assert_eq!(args["checkpoint_sha256"], net);
        let features = digest("experiments/shapes/features.safetensors");
        assert_eq!(args["feature_net_sha256"], features);
        // Presets are rules for published nets.
        assert!(metric["config"].is_badvalue());
    }
}

#[test]
fn python_reads_the_card_as_we_do() {
    let desk = half_done();
    report(&desk, "csv,card");
    let script = "
import json, sys
try:
    import yaml
except ImportError as error:
    print('missing:', error)
    sys.exit(0)
print(json.dumps(yaml.safe_load(open(sys.argv[1]).read().split('\\n---\\n')[0])))
";
    let path = desk.path("reports/small/card.md");
    let Some(read) = read_by_python(script, &path, "yaml") else {
        return;
    };
    let metric = &read["model-index"][0]["results"][0]["metrics"][0];
    let line = line(&desk, "0");
    assert_eq!(metric["value"].as_f64(), Some(number(&line, "fd")));
    assert_eq!(
        metric["args"]["interval_95_low"].as_f64(),
        Some(number(&line, "fd_low"))
    );
    assert_eq!(metric["args"]["count"], 8);
}
