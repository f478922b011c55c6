//! Class names to labels, and from file paths to class names.

use crate::data::labels::imagenet;
use crate::data::labels::names::{nearest, synonyms};
use anyhow::{Result, bail, ensure};
use std::collections::BTreeSet;

/// The label of `asked` among `names`: the exact name, one of its comma-separated synonyms, any of these in other
/// letter case, or the label itself as a number.
pub fn index(names: &[String], asked: &str) -> Result<u32> {
    ensure!(
        !names.is_empty(),
        "class {asked:?} is asked by name, but the checkpoint knows no names\nhint: ask for its number"
    );
    let found = names
        .iter()
        .position(|name| name == asked)
        .or_else(|| {
            names
                .iter()
                .position(|name| synonyms(name).any(|s| s == asked))
        })
        .or_else(|| {
            let lower = asked.to_lowercase();
            names.iter().position(|name| {
                name.to_lowercase() == lower || synonyms(name).any(|s| s.to_lowercase() == lower)
            })
        })
        .or_else(|| asked.parse().ok().filter(|&i: &usize| i < names.len()))
        .or(by_wnid(names, asked)?);
    match found {
        Some(index) => Ok(index as u32),
        None => bail!(
            "class {asked:?} is not among the {} classes\nhint: the nearest are {}",
            names.len(),
            nearest(names, asked).join(", ")
        ),
    }
}

/// The label of an ImageNet name, where the net's own names are WNIDs because it was trained on folders called so.
fn by_wnid(names: &[String], asked: &str) -> Result<Option<usize>> {
    if !names.iter().all(|n| imagenet::label_of_wnid(n).is_some()) {
        return Ok(None);
    }
    let wnid = imagenet::wnid(imagenet::index(asked)?);
    Ok(names.iter().position(|name| Some(name.as_str()) == wnid))
}

/// Class names and the label of every path (with `/` between its parts). Pictures in two or more folders belong to the
/// folder they are in; else to their file name up to the first `_`, where all names have one (ADM's rule); else to
/// nothing. Sorted names are numbered from 0.
pub fn of_paths(paths: &[String]) -> (Vec<String>, Option<Vec<u32>>) {
    let prefixes = || paths.iter().map(|path| prefix(path)).collect();
    match folders(paths).or_else(prefixes) {
        Some(owners) => {
            let (names, labels) = sorted(&owners);
            (names, Some(labels))
        }
        None => (Vec::new(), None),
    }
}

/// As [`of_paths`], by folders alone; none where the pictures do not lie in two or more.
pub(crate) fn of_folders(paths: &[String]) -> Option<(Vec<String>, Vec<u32>)> {
    folders(paths).map(|owners| sorted(&owners))
}

/// The folder of every path, where all have one and there are several.
fn folders(paths: &[String]) -> Option<Vec<&str>> {
    let folders: Option<Vec<&str>> = paths.iter().map(|path| folder(path)).collect();
    folders.filter(|all| all.iter().any(|f| *f != all[0]))
}

/// The names among `owners`, sorted, and the place of each owner among them.
fn sorted(owners: &[&str]) -> (Vec<String>, Vec<u32>) {
    let names: Vec<&str> = owners
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let labels = owners
        .iter()
        .map(|owner| names.partition_point(|name| name < owner) as u32)
        .collect();
    (names.iter().map(|n| n.to_string()).collect(), labels)
}

/// The names of classes that are numbers: these, up to the largest label.
pub(crate) fn numbered(labels: &[u32]) -> Vec<String> {
    let count = labels.iter().max().map_or(0, |&most| most as usize + 1);
    (0..count).map(|number| number.to_string()).collect()
}

/// What a net of `wanted` classes, `known` by name or not at all, calls each of the `data`'s. Classes that are numbers
/// already, as a batch's labels are, are these numbers. Others are found by name where the net knows names: a set that
/// lacks some classes, or numbers them otherwise, keeps its meaning. Where it knows none, the data must have as many, in
/// the order that training would have numbered them.
///
/// # Errors
/// Where the data has no classes, or some that the net does not have.
pub fn numbers(data: &[String], known: &[String], wanted: usize) -> Result<Vec<u32>> {
    ensure!(
        !data.is_empty(),
        "the net asks which of {wanted} classes an image is of, and the data has none\nhint: put the images into one folder a class, or name them CLASS_rest.png"
    );
    let in_order = 0..data.len() as u32;
    if data
        .iter()
        .enumerate()
        .all(|(k, name)| *name == k.to_string())
    {
        ensure!(
            data.len() <= wanted,
            "label {} is outside 0..={} (the net knows {wanted} classes)",
            data.len() - 1,
            wanted - 1
        );
        return Ok(in_order.collect());
    }
    if known.is_empty() {
        ensure!(
            data.len() == wanted,
            "the net asks which of {wanted} classes an image is of, and the data has {}; the checkpoint knows no names to tell which they are",
            data.len()
        );
        return Ok(in_order.collect());
    }
    let number = |name: &String| match known.iter().position(|own| own == name) {
        Some(number) => Ok(number as u32),
        None => bail!(
            "the net has no class {name:?}\nhint: the nearest are {}",
            nearest(known, name).join(", ")
        ),
    };
    data.iter().map(number).collect()
}

fn folder(path: &str) -> Option<&str> {
    let (folder, _) = path.rsplit_once('/')?;
    Some(folder.rsplit_once('/').map_or(folder, |(_, last)| last)).filter(|f| !f.is_empty())
}

fn prefix(path: &str) -> Option<&str> {
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    file.split_once('_').map(|(prefix, _)| prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn names_synonyms_cases_and_numbers_are_found() {
        let known = names(&["circle", "Heart", "tench, Tinca tinca"]);
        for (asked, label) in [("Heart", 1), ("heart", 1), ("tinca tinca", 2), ("0", 0)] {
            assert_eq!(index(&known, asked).unwrap(), label);
        }
        let text = index(&known, "hart").unwrap_err().to_string();
        assert!(
            text.contains("hint: the nearest are \"Heart\" (1)"),
            "{text}"
        );
        assert!(index(&known, "3").is_err());
        assert!(index(&[], "heart").is_err());
    }

    #[test]
    fn folders_named_by_wnid_are_asked_in_words() {
        let dogs = names(&["n02085620", "n02113186"]);
        assert_eq!(index(&dogs, "chihuahua").unwrap(), 0);
        assert_eq!(index(&dogs, "Cardigan Welsh corgi").unwrap(), 1);
        assert_eq!(index(&dogs, "1").unwrap(), 1);
        assert!(index(&dogs, "tench").is_err());
        assert!(index(&dogs, "cardigan").is_err());
    }

    #[test]
    fn a_net_calls_classes_by_name_where_it_knows_names() {
        let shapes = names(&["square", "disk", "heart"]);
        let folders = names(&["disk", "heart", "square"]);
        assert_eq!(numbers(&shapes, &shapes, 3).unwrap(), [0, 1, 2]);
        assert_eq!(numbers(&folders, &shapes, 3).unwrap(), [1, 2, 0]);
        assert_eq!(numbers(&folders[1..], &shapes, 3).unwrap(), [2, 0]);
        assert_eq!(numbers(&names(&["0", "1"]), &shapes, 3).unwrap(), [0, 1]);
        assert_eq!(numbers(&folders, &[], 3).unwrap(), [0, 1, 2]);
        let why = |data: &[&str], known: &[String]| {
            let error = numbers(&names(data), known, 3).unwrap_err();
            error.to_string()
        };
        assert!(why(&[], &shapes).contains("of 3 classes an image is of, and the data has none"));
        assert!(
            why(&["disc"], &shapes)
                .starts_with("the net has no class \"disc\"\nhint: the nearest are \"disk\" (1)")
        );
        assert!(
            why(&["a", "b"], &[]).contains("and the data has 2; the checkpoint knows no names")
        );
        assert!(why(&["0", "1", "2", "3"], &shapes).starts_with("label 3 is outside 0..=2"));
    }

    #[test]
    fn folders_win_over_prefixes_and_both_are_numbered_sorted() {
        let (classes, labels) = of_paths(&names(&["train/b/x_1.png", "train/a/y_2.png"]));
        assert_eq!((classes, labels), (names(&["a", "b"]), Some(vec![1, 0])));
        let (classes, labels) = of_paths(&names(&["all/n2_1.png", "all/n1_1.png"]));
        assert_eq!((classes, labels), (names(&["n1", "n2"]), Some(vec![1, 0])));
        assert_eq!(of_paths(&names(&["1.png", "2_3.png"])), (vec![], None));
    }
}
