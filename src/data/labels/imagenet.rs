//! The 1,000 classes of ImageNet (ILSVRC 2012) by WNID and by name: line i of the table is label i of every released net.

use crate::data::labels::names::nearest;
use anyhow::{Result, bail, ensure};
use std::sync::OnceLock;

/// WNID, a tab, comma-separated synonyms; WNIDs ascend, which is what gives the released nets their labels.
const TABLE: &str = include_str!("imagenet.tsv");

pub const CLASSES: usize = 1000;

/// What tells classes of one name apart where their other names do not.
const GLOSSES: [(usize, &str); 4] = [
    (134, "the bird"),
    (517, "the machine"),
    (264, "the dog"),
    (474, "the garment"),
];

struct Class {
    wnid: &'static str,
    names: &'static str,
}

fn table() -> &'static [Class] {
    static ROWS: OnceLock<Vec<Class>> = OnceLock::new();
    let row = |line: &'static str| {
        let (wnid, names) = line.split_once('\t')?;
        Some(Class { wnid, names })
    };
    ROWS.get_or_init(|| TABLE.lines().filter_map(row).collect())
}

/// The label of `asked`: a WNID, a name or one of its synonyms in any letter case, or the label itself as a number.
pub fn index(asked: &str) -> Result<u32> {
    let wanted = plain(asked);
    if let Ok(number) = wanted.parse::<usize>() {
        ensure!(
            number < CLASSES,
            "class {number} is outside 0..={} of ImageNet",
            CLASSES - 1
        );
        return Ok(number as u32);
    }
    if let Some(label) = label_of_wnid(&wanted) {
        return Ok(label);
    }
    let found = (0..CLASSES).filter(|&label| {
        let names = table()[label].names;
        // A whole line of several synonyms is meant as it stands.
        (names.contains(',') && plain(names) == wanted)
            || names.split(',').any(|name| plain(name) == wanted)
    });
    match found.collect::<Vec<_>>().as_slice() {
        [label] => Ok(*label as u32),
        [] => bail!(
            "class {asked:?} is not among the {CLASSES} classes of ImageNet\nhint: the nearest are {}",
            suggestions(asked)
        ),
        several => {
            let choices: Vec<String> = several.iter().map(|&label| choice(label)).collect();
            bail!(
                "class {asked:?} is the name of {} classes of ImageNet\nhint: ask by number or by WNID: {}",
                several.len(),
                choices.join("; ")
            )
        }
    }
}

/// The label of a WNID such as `n02085620`.
pub fn label_of_wnid(wnid: &str) -> Option<u32> {
    let at = table().binary_search_by(|class| class.wnid.cmp(wnid));
    at.ok().map(|label| label as u32)
}

pub fn wnid(label: u32) -> Option<&'static str> {
    table().get(label as usize).map(|class| class.wnid)
}

/// `134 n02012849 (crane, the bird)`
fn choice(label: usize) -> String {
    let Class { wnid, names } = &table()[label];
    let gloss = GLOSSES.iter().find(|(of, _)| *of == label);
    let gloss = gloss.map_or(String::new(), |(_, gloss)| format!(", {gloss}"));
    format!("{label} {wnid} ({names}{gloss})")
}

fn suggestions(asked: &str) -> String {
    let names: Vec<String> = table().iter().map(|c| c.names.to_string()).collect();
    nearest(&names, asked).join(", ")
}

/// Lower case, `_` and `-` as spaces, one space between words.
fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace(['_', '-'], " ");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_released_nets() {
        assert_eq!(table().len(), CLASSES);
        assert!(table().windows(2).all(|pair| pair[0].wnid < pair[1].wnid));
        // The devkit's own order would have Chihuahua at 173.
        assert_eq!(wnid(0), Some("n01440764"));
        assert_eq!(wnid(151), Some("n02085620"));
        assert_eq!(wnid(1000), None);
        for (name, label) in [
            ("tench", 0),
            ("ostrich", 9),
            ("lorikeet", 90),
            ("flamingo", 130),
            ("golden_retriever", 207),
            ("Siberian husky", 250),
            ("Pembroke", 263),
            ("balloon", 417),
            ("cheeseburger", 933),
            ("toilet-tissue", 999),
        ] {
            assert_eq!(index(name).unwrap(), label, "{name}");
        }
    }

    #[test]
    fn a_class_is_found_by_name_synonym_wnid_and_number() {
        for asked in ["Chihuahua", "chihuahua", " CHIHUAHUA ", "n02085620", "151"] {
            assert_eq!(index(asked).unwrap(), 151, "{asked}");
        }
        assert_eq!(index("maillot, tank suit").unwrap(), 639);
        assert_eq!(index("tank suit").unwrap(), 639);
        assert_eq!(index("sunglass").unwrap(), 836);
        assert_eq!(index("sunglasses").unwrap(), 837);
        assert_eq!(index("man-eater").unwrap(), 2);
    }

    #[test]
    fn a_name_of_two_classes_lists_them_and_an_unknown_one_its_nearest() {
        let message = |asked: &str| index(asked).unwrap_err().to_string();
        assert_eq!(
            message("crane"),
            "class \"crane\" is the name of 2 classes of ImageNet\nhint: ask by number or by WNID: \
             134 n02012849 (crane, the bird); 517 n03126707 (crane, the machine)"
        );
        let text = message("Cardigan");
        assert!(text.contains("264 n02113186 (Cardigan, Cardigan Welsh corgi, the dog); 474 "));
        let text = message("maillot");
        assert!(text.contains("638 n03710637 (maillot); 639 n03710721 (maillot, tank suit)"));
        let text = message("chihuaha");
        assert!(text.starts_with(
            "class \"chihuaha\" is not among the 1000 classes of ImageNet\nhint: the nearest are \"Chihuahua\" (151), "
        ), "{text}");
        assert_eq!(message("1000"), "class 1000 is outside 0..=999 of ImageNet");
    }
}
