//! Which class image i asks for: a pure function of the rule, the seed and the index.

use crate::random::stream::{below, stream};
use candle_core::{Result, bail};

/// How labels are given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Image i asks for class i mod k.
    Balanced,
    /// Independent and uniform (ADM's).
    Random,
    /// These classes, over and over.
    Cycle(Vec<u32>),
}

/// The class of image `index`, in 0..classes.
pub fn label(rule: &Rule, seed: u64, index: u64, classes: u32) -> Result<u32> {
    if classes == 0 {
        bail!("labels were asked of a net with 0 classes; at least 1 is allowed");
    }
    let class = match rule {
        Rule::Balanced => (index % u64::from(classes)) as u32,
        Rule::Random => below(&mut stream(seed, "label", index, 0), classes as usize) as u32,
        Rule::Cycle(list) if list.is_empty() => {
            bail!("classes = [] asks for no class; at least 1 of {classes} is allowed")
        }
        Rule::Cycle(list) => list[(index % list.len() as u64) as usize],
    };
    if class >= classes {
        bail!(
            "class {class} is outside 0..={} (the net knows {classes} classes)",
            classes - 1
        );
    }
    Ok(class)
}
