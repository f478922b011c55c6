//! What a folder or an archive holds beside the images that are read from it: counted by reason, the first of each named.

use crate::io::image::kind::READ_KINDS;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Names that are kept of each reason.
const NAMED: usize = 3;

/// Why something is not among the images of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A picture of a kind that is not read, such as `AVIF`.
    Unread(&'static str),
    /// The permission to read it is missing.
    Forbidden,
    /// A link whose target does not exist.
    Dangling,
    /// A link of an archive that leads out of it.
    Outside,
    /// A link that leads to itself or to a folder that it lies in.
    Loop,
    /// An earlier member of an archive, whose name a later one has: unpacking leaves the later one.
    Replaced,
    /// Its name begins with a dot. A folder counts once, whatever is in it.
    Hidden,
    /// A file whose content begins no picture.
    NoPicture,
    /// Neither a file nor a folder nor a link: a pipe, a socket, a device.
    Special,
}

impl Reason {
    /// The key in JSON; of pictures that are not read, their kind.
    pub fn id(self) -> &'static str {
        match self {
            Reason::Unread(kind) => kind,
            Reason::Forbidden => "forbidden",
            Reason::Dangling => "dangling",
            Reason::Outside => "outside",
            Reason::Loop => "loop",
            Reason::Replaced => "replaced",
            Reason::Hidden => "hidden",
            Reason::NoPicture => "no-picture",
            Reason::Special => "special",
        }
    }

    /// What `count` such things are.
    fn noun(self, count: usize) -> String {
        let several = |one: &str, more: &str| if count == 1 { one } else { more }.to_string();
        match self {
            Reason::Unread(kind) => several(
                &format!("{kind} picture"),
                &format!("pictures of kind {kind}"),
            ),
            Reason::Forbidden => several(
                "file or folder that may not be read",
                "files and folders that may not be read",
            ),
            Reason::Dangling => several("link to nothing", "links to nothing"),
            Reason::Outside => several("link out of the archive", "links out of the archive"),
            Reason::Loop => several("link in a loop", "links in loops"),
            Reason::Replaced => several(
                "member that a later one of its name replaces",
                "members that later ones of their names replace",
            ),
            Reason::Hidden => several("hidden file or folder", "hidden files and folders"),
            Reason::NoPicture => several("file that is no picture", "files that are no pictures"),
            Reason::Special => several("special file", "special files"),
        }
    }

    fn cure(self) -> Option<String> {
        match self {
            Reason::Unread(_) => Some(format!(
                "{READ_KINDS} are read; convert the others, to PNG so that no pixel changes"
            )),
            Reason::Forbidden => Some("`chmod -R a+rX FOLDER` lets everybody read them".into()),
            Reason::Outside => Some(
                "pack what the links lead to: `tar --dereference`, or `zip` without `--symlinks`"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// What was left out for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    pub count: usize,
    /// The first few, in the order of their names.
    pub first: Vec<String>,
}

/// All that was left out of a collection. As JSON an object: `{"hidden": {"count": 2, "first": [".DS_Store", ".cache"]}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    reasons: BTreeMap<Reason, Named>,
}

impl LeftOut {
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// How many were left out for this reason.
    pub fn count(&self, reason: Reason) -> usize {
        self.reasons.get(&reason).map_or(0, |named| named.count)
    }

    /// The reasons there are, with what was left out for each.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, &Named)> {
        self.reasons.iter().map(|(reason, named)| (*reason, named))
    }

    /// Counts one more; `name` is where it lies.
    pub(crate) fn add(&mut self, reason: Reason, name: &str) {
        let named = self.reasons.entry(reason).or_default();
        named.count += 1;
        let at = named.first.partition_point(|first| first.as_str() <= name);
        if at < NAMED {
            named.first.insert(at, name.to_string());
            named.first.truncate(NAMED);
        }
    }

    /// Counts what another collection has left out, which lies below `folder` of this one.
    pub(crate) fn extend(&mut self, folder: &str, others: &LeftOut) {
        for (reason, other) in others.reasons() {
            for name in &other.first {
                self.add(reason, &format!("{folder}/{name}"));
            }
            if let Some(named) = self.reasons.get_mut(&reason) {
                named.count += other.count - other.first.len();
            }
        }
    }

    /// What to do about it, a cure a line; nothing where nothing needs one.
    pub(crate) fn cures(&self) -> Vec<String> {
        let mut cures: Vec<String> = Vec::new();
        for cure in self.reasons.keys().filter_map(|reason| reason.cure()) {
            if !cures.contains(&cure) {
                cures.push(cure);
            }
        }
        cures
    }

    /// The line that every command writes of it, `of` such a collection, with cures as hints; nothing where nothing was
    /// left out.
    pub fn told(&self, of: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut line = format!("{of}: left out are {self}");
        for cure in self.cures() {
            line += &format!("\nhint: {cure}");
        }
        Some(line)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (k, (reason, Named { count, first })) in self.reasons().enumerate() {
            let comma = if k > 0 { ", " } else { "" };
            let more = if *count > first.len() { ", .." } else { "" };
            let first = first.iter().map(|name| plain(name)).collect::<Vec<_>>();
            let first = first.join(", ");
            write!(f, "{comma}{count} {} ({first}{more})", reason.noun(*count))?;
        }
        Ok(())
    }
}

impl Serialize for LeftOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.reasons.len()))?;
        for (reason, named) in self.reasons() {
            map.serialize_entry(reason.id(), named)?;
        }
        map.end()
    }
}

/// A name without the control characters that would break a line or drive a terminal.
fn plain(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}
