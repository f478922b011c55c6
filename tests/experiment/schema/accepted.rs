//! The schema accepts what the program accepts: every shipped file, every whole file in the documentation, and each kind of
//! value that the program takes.

use super::{as_json, faults, root, shipped, validator};
use fidrunner::experiment::grid::sweep::sweep;
use fidrunner::experiment::schema::whole;

#[test]
fn it_is_a_schema_of_draft_7() {
    let schema = whole::schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    jsonschema::draft7::meta::validate(&schema).unwrap();
}

#[test]
fn every_shipped_file_is_accepted() {
    let validator = validator();
    for file in shipped() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            faults(&validator, &text),
            Vec::<String>::new(),
            "{}",
            file.display()
        );
    }
}

/// TOML blocks of a page that are whole files: those that have a name.
fn blocks(page: &str) -> Vec<String> {
    let parts = page.split("```toml\n").skip(1);
    let blocks = parts.filter_map(|part| Some(part.split_once("```")?.0.to_string()));
    blocks
        .filter(|block| block.lines().any(|line| line.starts_with("name = ")))
        .collect()
}

#[test]
fn whole_files_in_the_documentation_are_accepted() {
    let validator = validator();
    let mut pages = vec![root().join("README.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap().flatten();
    pages.extend(
        docs.map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "md")),
    );
    let mut seen = 0;
    for page in pages {
        for block in blocks(&std::fs::read_to_string(&page).unwrap()) {
            // Parts of files begin with a [[case]] of a name: the name of a study stands above all tables.
            if as_json(&block).get("name").is_some() {
                assert_eq!(
                    faults(&validator, &block),
                    Vec::<String>::new(),
                    "{}:\n{block}",
                    page.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 1, "no whole file in README.md or docs");
}

#[test]
fn the_examples_of_the_page_are_values_of_their_keys() {
    let schema = whole::schema();
    let mut seen = 0;
    for (name, table) in schema["definitions"].as_object().unwrap() {
        for (key, inner) in table["properties"].as_object().into_iter().flatten() {
            let mut whole = schema.clone();
            for rest in ["properties", "additionalProperties", "allOf", "type"] {
                whole.as_object_mut().unwrap().remove(rest);
            }
            let Some(examples) = inner.get("examples").and_then(|list| list.as_array()) else {
                continue;
            };
            whole["allOf"] =
                serde_json::json!([{ "$ref": format!("#/definitions/{name}/properties/{key}") }]);
            let validator = jsonschema::draft7::new(&whole).unwrap();
            let default = inner.get("default").into_iter();
            for value in examples.iter().chain(default) {
                assert!(validator.is_valid(value), "{name} {key} = {value}");
                seen += 1;
            }
        }
    }
    assert!(seen > 150, "{seen}");
}

/// Each is taken by the program and by the schema.
const TAKEN: [&str; 16] = [
    // Words may come from other keys, whole numbers may stand for numbers.
    "[vars]\nway = \"ddim\"\n[sample]\nsampler = \"{vars.way}\"\nsteps = 5\ncount = 9\neta = 1\n[model]\ncheckpoint = \"a.pt\"",
    "[vars]\nm = \"fd\"\n[sample]\nsteps = \"ddim5\"\ncount = 9\n[model]\ncheckpoint = \"a.pt\"\n[eval]\nfeatures = \"shapes\"\nweights = \"w\"\nreference = \"r\"\nmetrics = [\"{vars.m}\", \"is\"]",
    "[model]\npreset = \"imagenet64\"\ncheckpoint = \"fetch:{model.preset}\"\n[sample]\nsteps = \"10, 10,20\"\ncount = 9\nclasses = [3, \"crane\"]",
    "[model]\ncheckpoint = \"fetch:64x64_diffusion.pt\"\n[sample]\nsteps = 5\ncount = 9\nclasses = \"random\"",
    // What an axis or a case gives is not missed in the file.
    "[model]\ncheckpoint = \"a.pt\"\n[sample]\ncount = 9\n[grid]\nsample.steps = [5, \"ddim5\"]",
    "[sample]\nsteps = 5\n[[case]]\nname = \"a\"\nmodel.checkpoint = \"a.pt\"\nsample.count = [5, 6]\nmodel.arch.attention = [[8, 4]]\n[[case]]\nname = \"b\"\nmodel.checkpoint = \"b.pt\"\nsample.count = 7\nmodel.arch.attention = [[8]]",
    "[model]\ncheckpoint = \"a.pt\"\n[sample]\nsteps = 5\ncount = 9\n[[zip]]\nmodel.arch.heads = [1, 0]\nmodel.arch.channels_per_head = [0, 32]",
    // Whole tables and lists on an axis.
    "[model]\ncheckpoint = \"a.pt\"\n[grid]\nsample = [{ steps = 5, count = 2 }, { steps = 6, count = 2 }]",
    "[model]\ncheckpoint = \"a.pt\"\n[sample]\nsteps = 5\ncount = 9\n[grid]\nsample.classes = [\"balanced\", [1, 2]]",
    // Programs, images that are there, both in one table.
    "[sample]\ncommand = [\"sh\", \"{out}\", \"{vars.cfg}\"]\ncount = 9\nenv = { A = \"1\" }\ntimeout = \"1h 30m\"\n[grid]\nvars.cfg = [1, 2.5, \"x\", true]",
    "[sample]\nfrom = \"samples/a.npz\"",
    "[train]\ncommand = [\"sh\", \"{out}\"]\n[sample]\ncommand = [\"sh\", \"{out}\", \"{train}\"]\ncount = 9\n[eval]\ncommand = [\"sh\", \"{images}\"]",
    "[model]\ncheckpoint = \"a.pt\"\n[sample]\ncount = 9\nsteps = 5\nsize = 16\n[grid]\nsample.command = [[], [\"sh\", \"{out}\"]]",
    // A training alone, guidance that is trained, a point between those of an axis.
    "[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 5\nbatch = 1\nlearning_rate = 1e-4\nkeep = [2, 5]",
    "[model]\ncheckpoint = \"a.pt\"\n[guidance]\npreset = \"shapes16-classifier\"\nscale = 0\narch = { pool = \"spatial_v2\" }\ntrain = { data = \"shapes\", steps = 5, batch = 1, learning_rate = 0.1, dtype = \"tf32\" }\n[sample]\nsteps = 5\ncount = 9",
    "[model]\ncheckpoint = \"a.pt\"\n[sample]\nsteps = 5\ncount = 9\n[eval]\nfeatures = \"shapes\"\nweights = \"w\"\nreference = \"r\"\nmetrics = [\"fd\"]\n[grid]\nsample.eta = [0, 1]\n[[published]]\nsource = \"s\"\nat.sample.eta = 0.5\nscores = { fd = 3 }\n[report]\ndeltas = \"sample.eta\"\ncolumn = \"double\"\nlatex = \"siunitx\"\n[[chart]]\nx = \"sample.eta\"\ny = [\"all\"]\nby = [\"sample.eta\"]",
];

#[test]
fn what_the_program_takes_is_accepted() {
    let validator = validator();
    for text in TAKEN {
        let text = format!("name = \"a b-1.0\"\n{text}");
        let taken = sweep(&text, &[], &[]);
        assert!(taken.is_ok(), "{text}\n{:?}", taken.err());
        assert_eq!(faults(&validator, &text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_file_that_starts_from_another_may_lack_anything() {
    let validator = validator();
    for text in [
        "[defaults]\nfrom = \"base.toml\"",
        "[defaults]\nfrom = \"base.toml\"\n[sample]\ncount = 5\n[[chart]]\nx = \"case\"\ny = [\"fd\"]",
    ] {
        assert_eq!(faults(&validator, text), Vec::<String>::new(), "{text}");
    }
}
