//! What the studies that ship ask for: nets that differ where a table's rows do, trainings that studies share, seeds.

use crate::support::program::repository;
use fidrunner::experiment::grid::sweep::{Cell, cells};
use fidrunner::experiment::nets::arch::{Arch, Trunk};
use fidrunner::experiment::nets::resolve::resolve;
use fidrunner::nets::adm::attention::heads;
use std::collections::{BTreeMap, BTreeSet};

fn study(name: &str) -> Vec<Cell> {
    let path = repository(&format!("experiments/{name}.toml"));
    cells(&std::fs::read_to_string(path).unwrap(), &[], &[]).unwrap()
}

fn trunk(cell: &Cell) -> Trunk {
    match resolve(&cell.spec.model, None).unwrap().0 {
        Arch::Unet(net) => net.trunk,
        other => panic!("{other:?}"),
    }
}

/// What a cell trains: its net, with its training.
fn training(cell: &Cell) -> String {
    let arch = resolve(&cell.spec.model, None).unwrap().0;
    format!("{arch:?} {:?}", cell.spec.net_train().unwrap())
}

#[test]
fn the_nets_of_the_attention_study_split_their_channels_in_seven_ways() {
    let mut ways: BTreeMap<Vec<usize>, BTreeSet<u64>> = BTreeMap::new();
    for cell in study("attention") {
        let trunk = trunk(&cell);
        let mut levels = trunk.channel_mult.iter().enumerate();
        let split = levels.by_ref().filter_map(|(level, factor)| {
            let channels = (trunk.channels as f64 * factor) as usize;
            let attends = trunk.attention.contains(&(trunk.resolution >> level));
            attends.then(|| heads(channels, trunk.heads, trunk.channels_per_head).unwrap())
        });
        let split: Vec<usize> = split.collect();
        assert_eq!(split.len(), 2, "attention at two widths");
        let seeds = ways.entry(split).or_default();
        seeds.insert(cell.spec.net_train().unwrap().seed);
    }
    assert_eq!(ways.len(), 7, "{ways:?}");
    assert!(ways.values().all(|seeds| seeds.len() == 3), "{ways:?}");
}

#[test]
fn studies_that_say_so_share_their_trainings() {
    let trainings = |name: &str| -> BTreeSet<String> { study(name).iter().map(training).collect() };
    let shared = |a: &str, b: &str| trainings(a).intersection(&trainings(b)).count();
    assert_eq!(shared("adagn", "attention"), 3);
    assert_eq!(shared("conditional", "adagn"), 3);
    assert_eq!(shared("steps", "adagn"), 3);
    assert_eq!(trainings("wallclock").len(), 6);
    assert_eq!(shared("wallclock", "architecture"), 6);
}
