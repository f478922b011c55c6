//! The rules for features of a net that was trained here, which no published evaluator has: exact forms, every image on
//! both sides, hyperspheres to the third neighbour, one split. A distance of such features is an FD, never an FID.

use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::rules::{
    Distances, Edge, InceptionScore, Kid, Neighbours, Preprocessing, Rules, Splits, Trace,
};

/// What `runner score` measures of images alone.
pub fn of_images() -> Rules {
    Rules {
        // Without meaning: the net takes images as they are.
        preprocessing: Preprocessing::Tf1,
        mixed_sizes: false,
        trace: Trace::Eigenvalues,
        inception_score: Some(InceptionScore {
            splits: Splits::Into(1),
            shuffle: None,
        }),
        kid: Some(Kid {
            subsets: 100,
            subset_size: 1000,
            seed: None,
            strict_size: false,
        }),
        neighbours: Some(Neighbours {
            k: 3,
            edge: Edge::Inside,
            distances: Distances::Exact,
            reference: None,
            samples: None,
            random: false,
        }),
        infinity: None,
        metrics: &[
            (Metric::Fd, "FD"),
            (Metric::Sfd, "sFD"),
            (Metric::Is, "IS"),
            (Metric::Kd, "KD"),
            (Metric::Precision, "precision"),
            (Metric::Recall, "recall"),
            (Metric::Density, "density"),
            (Metric::Coverage, "coverage"),
        ],
    }
}

/// What a sweep measures of a cell, whose samples were asked for by class, against a file of `runner reference`.
pub fn of_cells() -> Rules {
    Rules {
        kid: None,
        metrics: &[
            (Metric::Fd, "FD"),
            (Metric::Sfd, "sFD"),
            (Metric::Is, "IS"),
            (Metric::Precision, "precision"),
            (Metric::Recall, "recall"),
            (Metric::Agreement, "class agreement"),
            (Metric::GaussianFd, "FD of the Gaussian baseline"),
        ],
        ..of_images()
    }
}
