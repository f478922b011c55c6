//! Feature spaces: what a world's numbers are called, by whose rules they are measured, and what can be asked for.

use fidrunner::experiment::scoring::feature_space::{FeatureSpace, INCEPTION, OWN_NET, label};
use fidrunner::experiment::scoring::metric::{Better, Kind, Metric, Need};
use fidrunner::experiment::scoring::own_net;
use fidrunner::experiment::scoring::preset::Preset;
use fidrunner::experiment::scoring::rules::Preprocessing;

#[test]
fn only_inceptions_distance_is_an_fid() {
    for metric in [Metric::Fd, Metric::Fid] {
        assert_eq!(label(metric, "inception"), "FID");
        assert_eq!(label(metric, "shapes"), "FD (shapes)");
    }
    assert_eq!(label(Metric::Sfid, "inception"), "sFID");
    assert_eq!(label(Metric::Is, "inception"), "IS");
    assert_eq!(label(Metric::Is, "shapes"), "IS (shapes)");
    assert_eq!(label(Metric::Recall, "shapes"), "recall");
    assert_eq!(label(Metric::Agreement, "shapes"), "class agreement");
    assert_eq!(
        label(Metric::GaussianFd, "shapes"),
        "FD of the Gaussian baseline (shapes)"
    );
}

#[test]
fn a_world_is_a_published_network_by_its_name_alone() {
    assert!(FeatureSpace::named("inception") == &INCEPTION);
    assert!(FeatureSpace::named("shapes") == &OWN_NET);
    assert!(INCEPTION.is_published() && !OWN_NET.is_published());
    let how = Preprocessing::Clean;
    assert_eq!(INCEPTION.resizing(how), Some(how));
    assert_eq!(OWN_NET.resizing(how), None);
    assert!(INCEPTION.published(&"0".repeat(64)).is_none());
}

#[test]
fn every_set_of_rules_says_how_it_measures_what_it_measures() {
    let presets = INCEPTION.presets.iter().map(|preset| preset.rules());
    let own = [own_net::of_images(), own_net::of_cells()];
    for rules in presets.chain(own) {
        for &(metric, name) in rules.metrics {
            assert!(!name.is_empty());
            let images = metric.needs(Need::RealFeatures);
            assert!(!images || rules.compares_images(), "{name}");
            let alone = rules.only(&[metric]);
            assert_eq!(alone.ids(), [metric.id()]);
            assert_eq!(alone.compares_images(), images, "{name}");
        }
    }
    assert_eq!(OWN_NET.rules(Preset::Adm).ids(), own_net::of_cells().ids());
}

#[test]
fn distances_fall_and_shares_rise_where_images_get_better() {
    for metric in Metric::all() {
        let row = metric.row();
        let good = match row.kind {
            Kind::Distance if metric != Metric::GaussianFd => Some(Better::Lower),
            Kind::Share | Kind::Score => Some(Better::Higher),
            Kind::Distance | Kind::Deviation | Kind::Seconds => None,
        };
        assert_eq!(row.better, good, "{}", row.id);
    }
}
