//! The labels that a net is given: checked before its table is read.

use candle_core::{DType, Result, Tensor, TensorId, bail};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Tensors that are remembered: those that a guided step goes to and fro between, and some more.
const REMEMBERED: usize = 4;

/// Labels on a GPU that were looked at. Looking waits until the GPU has done all that was asked before, so that a draw looks
/// once at labels that it gives at every step: the numbers of a tensor stay what they are.
#[derive(Default)]
pub(super) struct Labels(Mutex<VecDeque<TensorId>>);

impl Labels {
    /// y `[n]` as u32, once it is `n` labels of 0..classes.
    ///
    /// # Errors
    /// Where it is not.
    pub fn of(&self, y: &Tensor, n: usize, classes: usize) -> Result<Tensor> {
        if y.dims() != [n] {
            bail!("{n} images need {n} labels, and those are {:?}", y.dims());
        }
        let labels = y.to_dtype(DType::U32)?;
        if y.device().is_cpu() {
            below(&labels, classes)?;
        } else if !self.knows(y) {
            below(&labels, classes)?;
            self.remember(y);
        }
        Ok(labels)
    }

    fn knows(&self, y: &Tensor) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&y.id())
    }

    fn remember(&self, y: &Tensor) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.push_back(y.id());
        if known.len() > REMEMBERED {
            known.pop_front();
        }
    }
}

fn below(labels: &Tensor, classes: usize) -> Result<()> {
    let values = labels.to_vec1::<u32>()?;
    match values.iter().find(|&&label| label as usize >= classes) {
        Some(label) => bail!("label {label} is outside 0..={}", classes - 1),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn labels_are_as_many_as_images_and_below_the_number_of_classes() -> Result<()> {
        let (labels, y) = (Labels::default(), Tensor::new(&[0u32, 9], &Device::Cpu)?);
        assert_eq!(labels.of(&y, 2, 10)?.to_vec1::<u32>()?, [0, 9]);
        // A backtrace may follow.
        let said = labels.of(&y, 2, 9).unwrap_err().to_string();
        assert!(said.starts_with("label 9 is outside 0..=8"), "{said}");
        let said = labels.of(&y, 3, 10).unwrap_err().to_string();
        assert!(
            said.starts_with("3 images need 3 labels, and those are [2]"),
            "{said}"
        );
        Ok(())
    }

    #[test]
    fn the_last_tensors_are_remembered() -> Result<()> {
        let labels = Labels::default();
        let made = |k: u32| Tensor::new(&[k], &Device::Cpu);
        let tensors = (0..=REMEMBERED as u32)
            .map(made)
            .collect::<Result<Vec<_>>>()?;
        tensors.iter().for_each(|y| labels.remember(y));
        let known: Vec<bool> = tensors.iter().map(|y| labels.knows(y)).collect();
        assert_eq!(known, [false, true, true, true, true]);
        Ok(())
    }
}
