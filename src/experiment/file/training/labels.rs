//! `train.labels`: labels for images that have none.

use crate::experiment::schema::texts::clusters;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Written before the number of clusters.
const CLUSTERS: &str = "clusters:";
/// The fewest and the most clusters.
pub const MOST_CLUSTERS: std::ops::RangeInclusive<usize> = 2..=10_000;

/// Labels in the place of those that the data has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, with = "String", transform = clusters)]
pub enum Labels {
    /// The number of the cluster of an image's features, of so many.
    Clusters(usize),
}

impl Labels {
    /// How many different labels there are.
    pub fn count(self) -> usize {
        let Labels::Clusters(count) = self;
        count
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CLUSTERS}{}", self.count())
    }
}

impl From<Labels> for String {
    fn from(labels: Labels) -> String {
        labels.to_string()
    }
}

impl TryFrom<String> for Labels {
    type Error = String;

    fn try_from(text: String) -> Result<Labels, String> {
        let count = text.strip_prefix(CLUSTERS).and_then(|n| n.parse().ok());
        let count = count.filter(|count| MOST_CLUSTERS.contains(count));
        count.map(Labels::Clusters).ok_or_else(|| {
            format!(
                "labels = \"{text}\" is not \"{CLUSTERS}K\" with K in {}..={}\nhint: \"{CLUSTERS}10\"; leave `labels` out for those of the data",
                MOST_CLUSTERS.start(),
                MOST_CLUSTERS.end()
            )
        })
    }
}
