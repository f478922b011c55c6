//! The evaluators' presets: every name means itself, and what each tool has and lacks is as published.

use fidrunner::experiment::scoring::metric::Metric;
use fidrunner::experiment::scoring::preset::{Preset, preprocessings};
use fidrunner::experiment::scoring::rules::{Distances, Edge, Preprocessing, Splits, Trace};

#[test]
fn names_parse_print_and_serialise_alike() {
    for preset in Preset::ALL {
        assert_eq!(preset.name().parse(), Ok(preset));
        let json = serde_json::to_value(preset).unwrap();
        assert_eq!(json, preset.to_string());
        assert_eq!(serde_json::from_value::<Preset>(json).unwrap(), preset);
        assert!(!preset.about().contains('\n'));
        let rules = preset.rules();
        let name = serde_json::to_value(rules.preprocessing).unwrap();
        assert_eq!(name, rules.preprocessing.name());
    }
    let why = "fid".parse::<Preset>().unwrap_err();
    assert!(
        why.contains("\"fid\"") && why.contains("`pytorch-fid`"),
        "{why}"
    );
}

#[test]
fn every_quantity_has_its_rule_and_every_rule_its_quantity() {
    for preset in Preset::ALL {
        let rules = preset.rules();
        let has = |q| rules.published(q).is_some();
        assert!(has(Metric::Fid), "{preset}");
        assert_eq!(has(Metric::Is), rules.inception_score.is_some());
        assert_eq!(has(Metric::Kid), rules.kid.is_some(), "{preset}");
        assert_eq!(has(Metric::Precision), rules.neighbours.is_some());
        assert_eq!(has(Metric::Recall), rules.neighbours.is_some());
        assert_eq!(has(Metric::FidInfinity), rules.infinity.is_some());
        assert_eq!(has(Metric::Sfid), preset == Preset::Adm);
        assert_eq!(has(Metric::Density), preset == Preset::DgmEval);
    }
}

#[test]
fn presets_share_their_preprocessings() {
    assert_eq!(
        preprocessings(&[Preset::Edm, Preset::Adm]),
        [Preprocessing::Tf1]
    );
    assert_eq!(preprocessings(&Preset::ALL), Preprocessing::ALL);
    assert_eq!(preprocessings(&[]), []);
}

#[test]
fn the_rules_that_differ_are_each_tools_own() {
    let adm = Preset::Adm.rules();
    assert_eq!(adm.inception_score.unwrap().splits, Splits::Every(5000));
    let balls = adm.neighbours.unwrap();
    assert_eq!(
        (balls.k, balls.edge, balls.distances),
        (3, Edge::Inside, Distances::Half)
    );
    assert_eq!((balls.reference, balls.samples), (Some(10_000), None));
    assert_eq!(adm.published(Metric::Sfid), Some("sFID"));
    let fidelity = Preset::TorchFidelity.rules();
    assert_eq!(fidelity.trace, Trace::Eigenvalues);
    assert_eq!(fidelity.kid.unwrap().seed, Some(2020));
    let balls = Preset::DgmEval.rules().neighbours.unwrap();
    assert_eq!((balls.k, balls.edge), (5, Edge::Outside));
    let mixed = Preset::ALL.into_iter().filter(|p| p.rules().mixed_sizes);
    let mixed: Vec<_> = mixed.collect();
    assert_eq!(
        mixed,
        [
            Preset::CleanFid,
            Preset::CleanFidLegacyPytorch,
            Preset::DgmEval
        ]
    );
}
