//! What may be asked of the attention blocks of a net for one answer, beside what they do anyway.

use crate::kernels::attention::map::received;
use crate::kernels::attention::qkv::Order;
use candle_core::{Result, Tensor, bail};
use std::cell::RefCell;

/// What is asked of blocks that are called as in a checkpoint, `middle_block.1`; names that a net does not have are passed
/// over.
#[derive(Clone, Copy)]
pub enum Attention<'a> {
    /// The maps of these blocks are the identity: every position attends to itself alone, and the values pass through.
    Identity(&'a [String]),
    /// What one block attends to is kept.
    Kept(&'a Probe),
}

impl Attention<'_> {
    /// Whether the map of `block` is the identity.
    pub(super) fn is_identity(self, block: &str) -> bool {
        matches!(self, Attention::Identity(blocks) if blocks.iter().any(|name| name == block))
    }

    /// Shows a probe what `block` mixes.
    pub(super) fn show(self, block: &str, mixed: impl FnOnce() -> Mixed) {
        if let Attention::Kept(probe) = self
            && probe.block == block
        {
            probe.seen.replace(Some(mixed()));
        }
    }
}

/// Keeps what one block mixes in the last answer: its map is calculated only where somebody asks for it.
pub struct Probe {
    block: String,
    seen: RefCell<Option<Mixed>>,
}

/// The input of an attention.
pub(super) struct Mixed {
    /// [n, 3c, h w] or [n, 3c, h, w]
    pub qkv: Tensor,
    pub heads: usize,
    pub order: Order,
    /// Of the feature map.
    pub height: usize,
    pub width: usize,
}

impl Probe {
    /// Of the block with this name.
    pub fn new(block: String) -> Self {
        Self {
            block,
            seen: RefCell::new(None),
        }
    }

    /// How much attention each position received in the last answer, summed over all positions that give it and averaged
    /// over the heads: [n, h, w] f32 of the block's feature map, 1 on average.
    ///
    /// # Errors
    /// Where no net with such a block has answered yet.
    pub fn received(&self) -> Result<Tensor> {
        let seen = self.seen.borrow();
        let Some(mixed) = seen.as_ref() else {
            bail!("no attention block `{}` has answered", self.block)
        };
        let sums = received(&mixed.qkv, mixed.heads, mixed.order)?;
        sums.reshape((sums.dim(0)?, mixed.height, mixed.width))
    }
}
