//! Gradient checkpointing ("Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174; ADM's `use_checkpoint`): a part
//! of a net keeps what it was given, and calculates again what lies inside it when gradients are taken.

use crate::kernels::gradients::record::{apply2, is_recording, leaf, recording};
use crate::kernels::tf32::{self, Products, with_products};
use candle_core::backend::BackendStorage;
use candle_core::backprop::GradStore;
use candle_core::{
    Context, CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail,
};
use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// What becomes of the tensors inside a net's blocks while the net is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activations {
    /// They are kept for the gradients.
    #[default]
    Kept,
    /// Those of one block at a time are calculated again for them: less memory, and a forward pass more.
    Recomputed,
}

/// A part of a net.
pub trait Part: Send + Sync + 'static {
    /// x and what it is given beside it → its output, of the same bits for the same inputs whenever it is called.
    ///
    /// # Errors
    /// As its operations.
    fn forward(&self, x: &Tensor, given: &Tensor) -> Result<Tensor>;
}

thread_local! {
    /// Gradients of weights inside checkpointed parts, until the backward pass of the whole net takes them: an operation can
    /// hand on none but those of its inputs.
    static INSIDE: RefCell<Vec<GradStore>> = const { RefCell::new(Vec::new()) };
}

/// The output of `part` for x, which a recording remembers by x and `given` alone. Outside a recording, and where x is part
/// of no graph, as `part` gives it.
///
/// # Errors
/// As `part`.
pub fn checkpointed(part: impl Part, x: &Tensor, given: &Tensor) -> Result<Tensor> {
    if !is_recording() || !x.track_op() {
        return part.forward(x, given);
    }
    // In a recording of its own, which is thrown away with all that the part made on its way.
    let (made, _) = recording(|| part.forward(&x.detach(), &given.detach()));
    let op = Checkpoint {
        part,
        products: tf32::current(),
        made: Mutex::new(Some(made?.detach().contiguous()?)),
    };
    apply2([x, given], op)
}

/// The gradients that were put aside since the last call.
pub(super) fn take_inside() -> Vec<GradStore> {
    INSIDE.take()
}

struct Checkpoint<P> {
    part: P,
    /// As they were when it was called first: gradients are taken elsewhere.
    products: Products,
    /// What the part made, until the operation has copied it.
    made: Mutex<Option<Tensor>>,
}

impl<P> Checkpoint<P> {
    fn made(&self) -> Result<Tensor> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.take()
            .context("checkpoint: the output was asked for twice")
    }
}

impl<P: Part> CustomOp2 for Checkpoint<P> {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let made = self.made()?;
        let (storage, layout) = made.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            bail!("checkpoint: the output is not on the CPU")
        };
        // A copy, of whichever type it has.
        let copy = storage.to_dtype(layout, storage.dtype())?;
        Ok((copy, made.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let made = self.made()?;
        let (storage, layout) = made.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) if layout.start_offset() == 0 => {
                Ok((storage.try_clone(layout)?, made.shape().clone()))
            }
            _ => bail!("checkpoint: the output does not begin its memory on the card"),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        given: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, given) = (leaf(x)?, leaf(given)?);
        let again = || self.part.forward(&x, &given);
        let (y, record) = recording(|| with_products(self.products, again));
        let y = y?;
        let mut grads = record.backward_from(&y, dy.clone())?;
        let found = (grads.remove(&x), grads.remove(&given));
        // Candle leaves gradients of constants too, as large as the activations.
        let mut weights = GradStore::default();
        for node in y.sorted_nodes().into_iter().filter(|t| t.is_variable()) {
            if let Some(gradient) = grads.remove(node) {
                weights.insert(node, gradient);
            }
        }
        INSIDE.with_borrow_mut(|inside| inside.push(weights));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// x times `given` times a weight; counts its calls.
    struct Product {
        weight: Tensor,
        calls: Arc<AtomicUsize>,
    }

    impl Part for Product {
        fn forward(&self, x: &Tensor, given: &Tensor) -> Result<Tensor> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            assert!(tf32::allowed(), "the products of the first call");
            x.mul(given)?.mul(&self.weight)
        }
    }

    fn variable(values: [f32; 2]) -> Result<Tensor> {
        Ok(Var::new(&values, &Device::Cpu)?.into_inner())
    }

    #[test]
    fn a_part_is_called_again_for_gradients_and_hands_on_those_of_its_weights() -> Result<()> {
        let [x, given, weight] = [[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]].map(variable);
        let (x, given, weight) = (x?, given?, weight?);
        let calls = Arc::new(AtomicUsize::new(0));
        let part = || Product {
            weight: weight.clone(),
            calls: calls.clone(),
        };
        // Once at the end of the net, and once before an operation that is candle's.
        let net = || {
            let inner = checkpointed(part(), &x, &given)?;
            checkpointed(part(), &inner.sqr()?, &given)?.sum_all()
        };
        let (loss, record) = recording(|| with_products(Products::Tf32, net));
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        let grads = record.backward(&loss?)?;
        assert_eq!(calls.load(Ordering::Relaxed), 4);
        assert!(take_inside().is_empty());
        // The loss is the sum of x^2 given^3 weight^3.
        for (of, want) in [
            (&x, [2.0 * 27.0 * 343.0, 4.0 * 125.0 * 1331.0]),
            (&given, [3.0 * 9.0 * 343.0, 12.0 * 25.0 * 1331.0]),
            (&weight, [3.0 * 27.0 * 49.0, 12.0 * 125.0 * 121.0]),
        ] {
            let found = grads.get(of).map(|gradient| gradient.to_vec1::<f32>());
            assert_eq!(found.transpose()?, Some(want.to_vec()));
        }
        Ok(())
    }

    #[test]
    fn outside_a_recording_a_part_is_itself() -> Result<()> {
        let (x, weight) = (variable([1.0, 2.0])?, variable([3.0, 4.0])?);
        let calls = Arc::new(AtomicUsize::new(0));
        let part = Product {
            weight: weight.clone(),
            calls: calls.clone(),
        };
        let y = with_products(Products::Tf32, || checkpointed(part, &x, &x))?;
        let grads = y.sum_all()?.backward()?;
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        let found = grads.get(&weight).map(|gradient| gradient.to_vec1::<f32>());
        assert_eq!(found.transpose()?, Some(vec![1.0, 4.0]));
        Ok(())
    }
}
