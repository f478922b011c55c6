//! The table of metrics: what each is called, which end is better, how it is printed, and what it is measured from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A metric by the id that it has in experiment files, scores and tables. New ones go to the end: keys sort them by
/// their place here.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The Fréchet distance between the features of samples and reference, for nets other than Inception. Lower is better.
    Fd,
    /// The same on features by place.
    Sfd,
    /// The Fréchet distance on Inception's features. Lower is better.
    Fid,
    /// The same on features by place.
    Sfid,
    /// The Inception score, or its like with another net's classes. Higher is better.
    Is,
    /// The share of samples that lie among the reference's images. Higher is better.
    Precision,
    /// The share of the reference's images that lie among the samples. Higher is better.
    Recall,
    /// The share of samples in which the feature net sees the class that was asked for. Higher is better.
    Agreement,
    /// The FID of endlessly many samples, by extrapolation. Lower is better.
    FidInfinity,
    /// The standard deviation of the Inception score between splits.
    IsStd,
    /// The kernel distance on Inception's features. Lower is better.
    Kid,
    /// The standard deviation of KID between subsets.
    KidStd,
    /// The harmonic mean of precision and recall. Higher is better.
    FScore,
    /// How many of the reference's neighbourhoods a sample lies in, for what is to be expected. Higher is better.
    Density,
    /// The share of the reference's neighbourhoods that hold a sample. Higher is better.
    Coverage,
    /// The seconds that `[train]` took, without sampling and scoring.
    TrainingSeconds,
    /// Stands beside `fd` by itself and cannot be asked for.
    #[serde(skip)]
    GaussianFd,
    /// KID with other features than Inception's; `runner score` prints it, and no cell is asked for it.
    #[serde(skip)]
    Kd,
}

/// Which end of a metric is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

/// What values a metric can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From 0 up, 0 between equal sets; an unbiased estimate may fall below.
    Distance,
    /// In [0, 1].
    Share,
    /// From 0 up.
    Score,
    /// A standard deviation between the parts of one measurement.
    Deviation,
    Seconds,
}

/// What measures a metric: the part of an evaluator's rules that it follows, in the order in which tables have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The Fréchet distance between Gaussians (arXiv:1706.08500, eq. 6).
    Frechet,
    /// The Fréchet distance of endlessly many samples (arXiv:1911.07023).
    Extrapolation,
    /// arXiv:1606.03498, section 4.
    InceptionScore,
    /// The kernel distance (arXiv:1801.01401).
    Kernel,
    /// Hyperspheres to nearest neighbours (arXiv:1904.06991, arXiv:2002.09797).
    Neighbours,
    /// The feature net's class against the asked label.
    Classifier,
    /// Images drawn from a Gaussian that is fitted to the reference's pixels.
    PixelGaussian,
    /// The record of a training.
    Clock,
}

/// What has to be there for a metric to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One vector of features an image.
    Pooled,
    /// Features by place.
    Spatial,
    /// Class scores.
    Logits,
    /// Features of the reference's images, beyond its statistics.
    RealFeatures,
    /// The classes that samples were asked for.
    Labels,
    /// Statistics of images drawn from the pixel Gaussian, which `runner reference` keeps.
    PixelGaussian,
    /// A training in the same sweep.
    Training,
}

/// All that the program knows of a metric by itself.
pub struct Row {
    pub metric: Metric,
    /// As it stands in files.
    pub id: &'static str,
    /// As people read it.
    pub label: &'static str,
    /// Whether its values compare within one feature space only, so that the label has to name it.
    pub by_space: bool,
    /// None where neither end is good.
    pub better: Option<Better>,
    /// Digits after the point; None takes as many as the smallest value needs.
    pub decimals: Option<usize>,
    pub kind: Kind,
    pub method: Method,
    pub needs: &'static [Need],
}

/// The columns of the table; whether a label names the feature space follows from what is measured.
const fn row(
    (metric, id, label): (Metric, &'static str, &'static str),
    better: Option<Better>,
    decimals: Option<usize>,
    (kind, method): (Kind, Method),
    needs: &'static [Need],
) -> Row {
    let of_any_space = matches!(kind, Kind::Share | Kind::Seconds);
    Row {
        metric,
        id,
        label,
        by_space: !of_any_space && !matches!(method, Method::Neighbours),
        better,
        decimals,
        kind,
        method,
        needs,
    }
}

const LOW: Option<Better> = Some(Better::Lower);
const HIGH: Option<Better> = Some(Better::Higher);

#[rustfmt::skip]
static TABLE: [Row; 18] = {
    use Kind::*;
    use Method::*;
    use Metric as M;
    use Need::{Labels, Logits, Pooled, RealFeatures, Spatial, Training};
    [
        row((M::Fd, "fd", "FD"), LOW, None, (Distance, Frechet), &[Pooled]),
        row((M::Sfd, "sfd", "sFD"), LOW, None, (Distance, Frechet), &[Spatial]),
        row((M::Fid, "fid", "FID"), LOW, None, (Distance, Frechet), &[Pooled]),
        // ADM's 2,023 spatial features: 7 channels of Mixed_6d's 1x1 branch, by row, column and channel.
        row((M::Sfid, "sfid", "sFID"), LOW, None, (Distance, Frechet), &[Spatial]),
        row((M::Is, "is", "IS"), HIGH, None, (Score, InceptionScore), &[Logits]),
        row((M::Precision, "precision", "precision"), HIGH, Some(3), (Share, Neighbours), &[Pooled, RealFeatures]),
        row((M::Recall, "recall", "recall"), HIGH, Some(3), (Share, Neighbours), &[Pooled, RealFeatures]),
        row((M::Agreement, "agreement", "class agreement"), HIGH, Some(3), (Share, Classifier), &[Logits, Labels]),
        row((M::FidInfinity, "fid-infinity", "FID∞"), LOW, None, (Distance, Extrapolation), &[Pooled]),
        // Over the splits, divided by their number.
        row((M::IsStd, "is-std", "IS std"), None, None, (Deviation, InceptionScore), &[Logits]),
        row((M::Kid, "kid", "KID"), LOW, Some(5), (Distance, Kernel), &[Pooled, RealFeatures]),
        // Over the subsets, divided by their number.
        row((M::KidStd, "kid-std", "KID std"), None, Some(5), (Deviation, Kernel), &[Pooled, RealFeatures]),
        // The harmonic mean of precision and recall.
        row((M::FScore, "f-score", "f-score"), HIGH, Some(3), (Share, Neighbours), &[Pooled, RealFeatures]),
        row((M::Density, "density", "density"), HIGH, Some(3), (Score, Neighbours), &[Pooled, RealFeatures]),
        row((M::Coverage, "coverage", "coverage"), HIGH, Some(3), (Share, Neighbours), &[Pooled, RealFeatures]),
        // Without sampling and scoring; of the training that made the sampled net, not of the images.
        row((M::TrainingSeconds, "training-seconds", "training seconds"), None, None, (Seconds, Clock), &[Training]),
        row((M::GaussianFd, "gaussian_fd", "FD of the Gaussian baseline"), None, None, (Distance, Method::PixelGaussian), &[Need::PixelGaussian]),
        row((M::Kd, "kd", "KD"), LOW, Some(5), (Distance, Kernel), &[Pooled, RealFeatures]),
    ]
};

impl Metric {
    /// The Fréchet distance of pooled features, by the ids that feature spaces give it: what a table marks the best of.
    pub const FRECHET: [Metric; 2] = [Metric::Fd, Metric::Fid];

    /// Every metric, in the order of the table.
    pub fn all() -> impl Iterator<Item = Metric> {
        TABLE.iter().map(|row| row.metric)
    }

    /// The metric that has this id in files.
    pub fn of_id(id: &str) -> Option<Metric> {
        Metric::all().find(|metric| metric.id() == id)
    }

    /// What the program knows of it.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// As it stands in files.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// Which end is good; none for a metric that is only told.
    pub fn better(self) -> Option<Better> {
        self.row().better
    }

    pub fn needs(self, need: Need) -> bool {
        self.row().needs.contains(&need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_stands_at_its_own_row_and_is_written_by_its_id() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.metric as usize, at, "{}", row.id);
            assert_eq!(Metric::of_id(row.id), Some(row.metric));
            let asked = serde_json::to_value(row.metric).ok();
            let unasked = [Metric::GaussianFd, Metric::Kd].contains(&row.metric);
            let id = Some(row.id.into()).filter(|_| !unasked);
            assert_eq!(asked, id);
        }
    }
}
