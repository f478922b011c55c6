//! The operations that a profile tells apart, by the names that its table and its trace have.

use Kind::{Wait, Work};

/// Whether a thread calculates, reads or writes in a span, or sleeps until something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Work,
    Wait,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Work => "work",
            Wait => "wait",
        }
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident: $kind:ident $name:literal,)*) => {
        /// What a span of time is spent on. `.., other` is what of a net or a stage no other operation has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// Every operation, in order.
            pub const ALL: &[Operation] = &[$(Operation::$variant,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Operation::$variant => $name,)*
                }
            }

            pub fn kind(self) -> Kind {
                match self {
                    $(Operation::$variant => $kind,)*
                }
            }
        }
    };
}

operations! {
    ConvolutionForward: Work "convolution, forward",
    ConvolutionBackward: Work "convolution, backward",
    AttentionForward: Work "attention, forward",
    AttentionBackward: Work "attention, backward",
    NormForward: Work "group norm, forward",
    NormBackward: Work "group norm, backward",
    LinearForward: Work "linear, forward",
    LinearBackward: Work "linear, backward",
    ResampleForward: Work "resampling, forward",
    ResampleBackward: Work "resampling, backward",
    MapConvolution: Work "Inception's convolutions",
    MapPool: Work "Inception's pools",
    Unet: Work "UNet, other",
    Classifier: Work "classifier, other",
    Inception: Work "Inception, other",
    FeatureNet: Work "feature net, other",
    Gradients: Work "gradients, other",
    Optimizer: Work "optimizer",
    Noise: Work "noise",
    TrainingBatch: Work "making training batches",
    Decode: Work "reading and decoding images",
    Resize: Work "resizing images",
    Hash: Work "hashing images and files",
    /// From the device into the computer's memory; on a GPU this ends once the card is done.
    Fetch: Work "fetching results of the device",
    Moments: Work "means and covariances",
    Frechet: Work "Frechet distances",
    FrechetIntervals: Work "Frechet intervals",
    InceptionScore: Work "Inception Score",
    KernelDistance: Work "kernel distance",
    Neighbours: Work "nearest neighbours",
    ReadFeatures: Work "reading stored features",
    Write: Work "writing results",
    OpenNet: Work "opening nets",
    Plan: Work "planning",
    Report: Work "tables, charts and report",
    Train: Work "stage train, other",
    Sample: Work "stage sample, other",
    Upsample: Work "stage upsample, other",
    Features: Work "stage features, other",
    Metrics: Work "stage metrics, other",
    Score: Work "score, other",
    /// The net has to wait for what reads, decodes and resizes.
    WaitImages: Wait "waiting for images",
    /// What reads is as far ahead of the net as it may be.
    WaitAhead: Wait "readers waiting for the net",
    WaitBatch: Wait "waiting for a training batch",
    WaitBatchAhead: Wait "batches waiting for training",
    /// The net has to wait for parts that are being written.
    WaitWriter: Wait "waiting for the writer",
    /// The thread that asked sleeps while one of rayon's works.
    WaitKernels: Wait "waiting for the net's threads",
    WaitOthers: Wait "waiting for other workers",
    WaitJob: Wait "waiting for a job",
    WaitDevice: Wait "waiting for a device",
    WaitProgram: Wait "waiting for a program",
    WaitProcesses: Wait "waiting for worker processes",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_need_no_escape_in_json() {
        let mut names: Vec<&str> = Operation::ALL.iter().map(|o| o.name()).collect();
        for (place, operation) in Operation::ALL.iter().enumerate() {
            assert_eq!(place, *operation as usize);
            let plain = |c: char| c.is_ascii_alphabetic() || " ,'".contains(c);
            assert!(operation.name().chars().all(plain), "{operation:?}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Operation::ALL.len());
    }
}
