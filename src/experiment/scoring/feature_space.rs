//! The spaces of features in which images are compared: a row for each network whose features evaluators publish, and
//! one for the nets that were trained here.

use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::own_net;
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::{Preprocessing, Rules};

/// How images become the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Images of any size, resized as one of the evaluators' [`Preprocessing`] has it.
    Resized,
    /// Square images of one size, as they are.
    AsTrained,
}

/// Features an image; 0 where the network gives none of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    pub pooled: usize,
    pub spatial: usize,
    pub logits: usize,
}

/// A network's features, and what follows from whose they are.
#[derive(Debug)]
pub struct FeatureSpace {
    /// `eval.features` in experiment files; None for nets trained here, whose world names itself.
    pub id: Option<&'static str>,
    /// The network, in messages.
    pub net: &'static str,
    pub input: Input,
    /// None where only the net's own file knows.
    pub widths: Option<Widths>,
    /// What stands in brackets behind a label that has to name the space; None where the label does it by itself, as FID
    /// and IS do.
    pub suffix: Option<&'static str>,
    /// The ids of its Fréchet distances, of pooled and of spatial features.
    frechet: [Metric; 2],
    /// sha256 of the published weights whose digest is public, and their file names.
    published: &'static [(&'static str, &'static str)],
    /// The evaluators that measure in it; none for nets trained here, which have rules of their own.
    pub presets: &'static [Preset],
    /// The layout of a cell's stored features, from 2 on with what was seen of each image.
    pub layout: Option<u32>,
}

/// FID's Inception-v3 of 2015.
pub static INCEPTION: FeatureSpace = FeatureSpace {
    id: Some("inception"),
    net: "Inception",
    input: Input::Resized,
    widths: Some(Widths {
        pooled: 2048,
        spatial: 2023,
        logits: 1008,
    }),
    suffix: None,
    frechet: [Metric::Fid, Metric::Sfid],
    published: &[
        (
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            "pt_inception-2015-12-05-6726825d.pth",
        ),
        (
            "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
            "inception-2015-12-05.pt of NVIDIA",
        ),
    ],
    presets: &Preset::ALL,
    layout: Some(2),
};

/// Any net that was trained here.
pub static OWN_NET: FeatureSpace = FeatureSpace {
    id: None,
    net: "another net",
    input: Input::AsTrained,
    widths: None,
    suffix: None,
    frechet: [Metric::Fd, Metric::Sfd],
    published: &[],
    presets: &[],
    layout: None,
};

/// The spaces of published networks.
const PUBLISHED: [&FeatureSpace; 1] = [&INCEPTION];

impl PartialEq for FeatureSpace {
    fn eq(&self, other: &FeatureSpace) -> bool {
        self.id == other.id
    }
}

impl FeatureSpace {
    /// The space that `eval.features` names; a name that no published network has is that of a world whose net was
    /// trained here.
    pub fn named(world: &str) -> &'static FeatureSpace {
        let mut published = PUBLISHED.into_iter();
        published
            .find(|space| space.id == Some(world))
            .unwrap_or(&OWN_NET)
    }

    /// Whether the network is a published one. Evaluators' presets and references of any tool then go with it; nets
    /// trained here are measured by rules of their own against files of `runner reference`.
    pub fn is_published(&self) -> bool {
        self.id.is_some()
    }

    pub fn has_spatial(&self) -> bool {
        self.widths.is_none_or(|widths| widths.spatial > 0)
    }

    /// How images are resized for the network, out of what a preset says; None where they are taken as they are.
    pub fn resizing(&self, how: Preprocessing) -> Option<Preprocessing> {
        (self.input == Input::Resized).then_some(how)
    }

    /// The published file of weights that has this sha256; none for others (safetensors made of them, TensorFlow's
    /// graph, test weights).
    pub fn published(&self, digest: &str) -> Option<&'static str> {
        let known = self.published.iter().find(|(known, _)| *known == digest);
        known.map(|(_, name)| *name)
    }

    /// The rules by which a sweep measures its cells.
    pub fn rules(&self, preset: Preset) -> Rules {
        if self.is_published() {
            preset.rules()
        } else {
            own_net::of_cells()
        }
    }

    /// The rules by which images alone are scored: the preset's, or those of nets that were trained here, which have none.
    pub fn rules_of_images(&self, preset: Preset) -> Rules {
        if self.is_published() {
            preset.rules()
        } else {
            own_net::of_images()
        }
    }

    /// The metric under the id that it has in this space: only Inception's Fréchet distance is an FID.
    pub fn own(&self, metric: Metric) -> Metric {
        match metric {
            Metric::Fd | Metric::Fid => self.frechet[0],
            Metric::Sfd | Metric::Sfid => self.frechet[1],
            other => other,
        }
    }
}

/// What people read for a metric in a world: `FID` with Inception's features, `FD (shapes)` in the world `shapes`.
pub fn label(metric: Metric, world: &str) -> String {
    let space = FeatureSpace::named(world);
    let row = space.own(metric).row();
    let suffix = if space.is_published() {
        space.suffix
    } else {
        Some(world)
    };
    match suffix.filter(|_| row.by_space) {
        Some(suffix) => format!("{} ({suffix})", row.label),
        None => row.label.to_string(),
    }
}
