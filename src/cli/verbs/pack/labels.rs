//! The labels of a packed set: what its sources say, put together, or a file of labels.

use crate::cli::screen::terminal::thousands;
use crate::cli::verbs::pack::labels_file::{Table, read};
use crate::data::gallery::Gallery;
use crate::data::labels::balance::Balance;
use crate::data::labels::given::Given;
use anyhow::{Result, bail, ensure};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Names that a message gives.
const NAMED: usize = 3;
/// Classes that are told one by one.
const TOLD: usize = 10;

/// Labels in the order of packing, and what is to be said of them.
pub struct Labels {
    pub numbers: Option<Vec<u32>>,
    pub notes: Vec<String>,
}

impl Labels {
    /// None, because none are asked for.
    pub fn left_out() -> Labels {
        Labels {
            numbers: None,
            notes: Vec::new(),
        }
    }

    /// `labels of 10 classes (500 images each)`.
    pub fn spread(&self) -> String {
        let mut balance = Balance::default();
        balance.add_numbers(self.numbers.as_deref().unwrap_or_default());
        let Some(spread) = balance.spread() else {
            return "no labels".to_string();
        };
        let n = |count: usize| thousands(count as u64);
        let word = if spread.classes == 1 {
            "class"
        } else {
            "classes"
        };
        let each = match (spread.least, spread.most) {
            (1, 1) => "1 image".to_string(),
            (least, most) if least == most => format!("{} images", n(least)),
            (least, most) => format!("{} to {} images", n(least), n(most)),
        };
        format!("labels of {} {word} ({each} each)", n(spread.classes))
    }
}

/// Of the first `count` images, as their sources give them.
///
/// # Errors
/// Where some have labels and some have none, or some have numbers and some have names.
pub fn of_sources(gallery: &Gallery, count: usize) -> Result<Labels> {
    let collections = gallery.collections()?;
    let used: Vec<_> = collections
        .iter()
        .filter(|(_, images, _)| images.start < count)
        .collect();
    let nothing = |given: &Given| matches!(given, Given::Nothing);
    if used.iter().all(|(.., given)| nothing(given)) {
        return Ok(Labels {
            numbers: None,
            notes: vec!["the images have no labels, and none are written".to_string()],
        });
    }
    let folders = used.iter().filter_map(|(.., given)| match given {
        Given::Folders(names, _) => Some(names),
        _ => None,
    });
    let classes: BTreeSet<&String> = folders.flatten().collect();
    let classes: Vec<&String> = classes.into_iter().collect();
    let order = gallery.order_within_collections();
    let mut by_image: Vec<u32> = Vec::with_capacity(gallery.len());
    for (_, _, given) in &used {
        match given {
            Given::Numbers(numbers) if classes.is_empty() => by_image.extend(numbers),
            Given::Folders(names, labels) => {
                let own = |name: &String| classes.partition_point(|class| *class < name) as u32;
                let numbers: Vec<u32> = names.iter().map(own).collect();
                by_image.extend(labels.iter().map(|&label| numbers[label as usize]));
            }
            _ => bail!(differing(&used)),
        }
    }
    let numbers = order.iter().take(count).map(|&i| by_image[i]).collect();
    let notes = (!classes.is_empty()).then(|| numbered(&classes));
    Ok(Labels {
        numbers: Some(numbers),
        notes: notes.into_iter().collect(),
    })
}

/// What each source has, where that is not one thing for all.
fn differing(used: &[&(&str, std::ops::Range<usize>, Given)]) -> String {
    let mut lines = vec![
        "the sources differ in their labels, and a set has one for every image or none".to_string(),
    ];
    for (spec, images, given) in used {
        let what = match given {
            Given::Nothing => "no labels".to_string(),
            Given::Numbers(_) => "numbers".to_string(),
            Given::Folders(names, _) => format!("{} class folders by name", names.len()),
            Given::Unread(why) => why.clone(),
        };
        lines.push(format!(
            "  {spec} ({} images): {what}",
            thousands(images.len() as u64)
        ));
    }
    lines.push(
        "hint: name the labels of all with --labels FILE, or write none with --no-labels"
            .to_string(),
    );
    lines.join("\n")
}

/// Which number each class folder has.
fn numbered(classes: &[&String]) -> String {
    let told = |at: usize| format!("{at} = {}", classes[at]);
    let last = classes.len() - 1;
    let list = if classes.len() <= TOLD {
        (0..classes.len()).map(told).collect::<Vec<_>>().join(", ")
    } else {
        format!("{}, {}, .., {}", told(0), told(1), told(last))
    };
    format!("labels: class folders in the order of their names, {list}")
}

/// Of the images at `order`, as a file gives them.
///
/// # Errors
/// Where the file cannot be read, or an image has none in it or might have several.
pub fn of_file(path: &Path, gallery: &Gallery, order: &[usize]) -> Result<Labels> {
    let shown = path.display();
    let table = match read(path)? {
        Table::InOrder(labels) => {
            ensure!(
                labels.len() == order.len(),
                "--labels {shown}: it has {} labels for {} images\nhint: lines of `file,label` may be more than the images",
                labels.len(),
                order.len()
            );
            return Ok(Labels {
                numbers: Some(labels),
                notes: Vec::new(),
            });
        }
        Table::ByFile(table) => table,
    };
    let collections = gallery.starts();
    let mut taken: HashMap<String, usize> = HashMap::new();
    let (mut numbers, mut without) = (Vec::with_capacity(order.len()), Vec::new());
    for &i in order {
        let name = gallery.name(i);
        let at = collections.partition_point(|(_, start)| *start <= i) - 1;
        let inside = name
            .strip_prefix(collections[at].0)
            .and_then(|rest| rest.strip_prefix('/'));
        let keys = [Some(name.as_str()), inside];
        let found = keys
            .into_iter()
            .flatten()
            .find(|key| table.contains_key(*key));
        let Some(key) = found else {
            without.push(name);
            continue;
        };
        if let Some(other) = taken.insert(key.to_string(), i) {
            bail!(
                "--labels {shown}: {key} is {} and {name}\nhint: name it with its source, as they stand here",
                gallery.name(other)
            );
        }
        numbers.push(table[key]);
    }
    ensure!(
        without.is_empty(),
        "--labels {shown}: it has no label for {} of {} images: {}\nhint: a file is named as within its source, or as here",
        without.len(),
        order.len(),
        few(&without)
    );
    let mut idle: Vec<String> = table.into_keys().collect();
    idle.retain(|key| !taken.contains_key(key));
    idle.sort_unstable();
    let note = format!(
        "{shown}: {} labels are of no image that is packed: {}",
        idle.len(),
        few(&idle)
    );
    Ok(Labels {
        numbers: Some(numbers),
        notes: if idle.is_empty() {
            Vec::new()
        } else {
            vec![note]
        },
    })
}

/// The first few of these names.
fn few(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", .." } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}
