//! The labels that one collection of images brings along.

use crate::data::labels::{classes, dataset_json};
use crate::io::numpy::labels::Labels;
use anyhow::Result;

/// More classes than any data set has; a larger label is a mistake.
const MOST_CLASSES: u32 = 1 << 20;

/// What a collection says of the classes of its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    Nothing,
    /// A number an image: out of `arr_1`, `dataset.json`, or folders whose names are numbers.
    Numbers(Vec<u32>),
    /// Class folders: their names, sorted, and for each image the place of its own among them.
    Folders(Vec<String>, Vec<u32>),
    /// Something that is no class for every image, and why.
    Unread(String),
}

impl Given {
    /// Of an array, by its `arr_1`.
    pub(crate) fn of_array(labels: &Labels) -> Given {
        match labels {
            Labels::Absent => Given::Nothing,
            Labels::Read { labels, .. } => Given::Numbers(labels.clone()),
            Labels::Unread(why) => Given::Unread(why.clone()),
        }
    }

    /// Of picture files at these paths: by `dataset.json`, whose bytes are `json`, where it has `labels`, else by folders.
    /// Names of files are told apart by more than classes, and are not taken for them.
    ///
    /// # Errors
    /// Where `dataset.json` cannot be read.
    pub(crate) fn of_files(json: Option<&[u8]>, paths: &[String]) -> Result<Given> {
        if let Some(json) = json
            && let Some(found) = dataset_json::read(json, paths)?
        {
            return Ok(match found.labels {
                Some(labels) => Given::Numbers(labels),
                None if found.remarks.is_empty() => Given::Nothing,
                None => Given::Unread(found.remarks.join("; ")),
            });
        }
        let Some((names, labels)) = classes::of_folders(paths) else {
            return Ok(Given::Nothing);
        };
        let numbers: Option<Vec<u32>> = names.iter().map(|name| class_number(name)).collect();
        Ok(match numbers {
            Some(numbers) => {
                let numbered = labels.iter().map(|&label| numbers[label as usize]);
                Given::Numbers(numbered.collect())
            }
            None => Given::Folders(names, labels),
        })
    }
}

/// The number that a text is, where it can be a class.
pub fn class_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|number| *number < MOST_CLASSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: Option<&str>, paths: &[&str]) -> Given {
        let paths: Vec<String> = paths.iter().map(|path| path.to_string()).collect();
        Given::of_files(json.map(str::as_bytes), &paths).unwrap()
    }

    #[test]
    fn folders_are_classes_and_names_of_files_are_not() {
        let cats = Given::Folders(vec!["cat".into(), "dog".into()], vec![1, 0, 1]);
        assert_eq!(of(None, &["dog/a.png", "cat/a.png", "dog/b.png"]), cats);
        assert_eq!(of(None, &["cat_1.png", "dog_1.png"]), Given::Nothing);
        assert_eq!(of(None, &["all/a.png", "all/b.png"]), Given::Nothing);
    }

    #[test]
    fn folders_called_by_numbers_are_these_classes() {
        let numbers = Given::Numbers(vec![10, 2, 7]);
        assert_eq!(of(None, &["10/a.png", "2/a.png", "007/a.png"]), numbers);
        let names = Given::Folders(vec!["+1".into(), "2".into()], vec![0, 1]);
        assert_eq!(of(None, &["+1/a.png", "2/a.png"]), names);
    }

    #[test]
    fn dataset_json_goes_before_folders() {
        let paths = ["0/a.png", "1/b.png"];
        let json = r#"{"labels": [["0/a.png", 5], ["1/b.png", 3]]}"#;
        assert_eq!(of(Some(json), &paths), Given::Numbers(vec![5, 3]));
        assert_eq!(of(Some(r#"{"labels": null}"#), &paths), Given::Nothing);
        assert_eq!(of(Some("{}"), &paths), Given::Numbers(vec![0, 1]));
        let some = of(Some(r#"{"labels": [["0/a.png", 5]]}"#), &paths);
        assert!(matches!(some, Given::Unread(why) if why.contains("1 of 2 images (1/b.png)")));
    }
}
