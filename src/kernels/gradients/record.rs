//! What the operations of this room did, noted while they run, so that gradients can be taken without candle's `backward`.

use crate::kernels::view::noted;
#[cfg(feature = "cuda")]
use candle_core::Shape;
use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor, TensorId, Var};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// How a tensor of the graph was made, with all that its gradients need.
pub(super) enum Step {
    One(Tensor, Arc<Box<dyn CustomOp1 + Send + Sync>>),
    Two([Tensor; 2], Arc<Box<dyn CustomOp2 + Send + Sync>>),
    Three([Tensor; 3], Arc<Box<dyn CustomOp3 + Send + Sync>>),
    /// The sum of both, whose gradient is that of each.
    Sum([Tensor; 2]),
    /// The same memory, its dimensions in this order; back, in the other.
    #[cfg(feature = "cuda")]
    View(Tensor, Order),
    /// The same elements in another shape.
    #[cfg(feature = "cuda")]
    Reshaped(Tensor),
}

/// An order of four dimensions, and the one that takes it back.
#[cfg(feature = "cuda")]
pub(crate) type Order = [[usize; 4]; 2];

impl Step {
    pub(super) fn inputs(&self) -> &[Tensor] {
        match self {
            Step::One(x, _) => std::slice::from_ref(x),
            #[cfg(feature = "cuda")]
            Step::View(x, _) | Step::Reshaped(x) => std::slice::from_ref(x),
            Step::Two(inputs, _) | Step::Sum(inputs) => inputs,
            Step::Three(inputs, _) => inputs,
        }
    }
}

/// A tensor of the graph, and the variable that stands for it in what follows.
pub(super) struct Seam {
    pub made: Tensor,
    pub leaf: Tensor,
}

/// What was noted by one [`recording`]; [`Record::backward`] takes the gradients.
#[derive(Default)]
pub struct Record {
    pub(super) steps: HashMap<TensorId, Step>,
    pub(super) seams: Vec<Seam>,
}

thread_local! {
    /// The recordings under way on this thread, the innermost last.
    static OPEN: RefCell<Vec<Record>> = const { RefCell::new(Vec::new()) };
}

/// Closes the innermost recording however the work ends.
struct Closing;

impl Drop for Closing {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(Vec::pop);
    }
}

/// Runs `work`, and notes the operations of this room that it calls on this thread on tensors of a graph. The gradients of
/// what it returns are then taken by [`Record::backward`] of the same record, and by nothing else: candle's own `backward`
/// ends at a [`seam`].
pub fn recording<R>(work: impl FnOnce() -> R) -> (R, Record) {
    OPEN.with_borrow_mut(|open| open.push(Record::default()));
    let closing = Closing;
    let result = work();
    let record = OPEN.with_borrow_mut(|open| open.last_mut().map(std::mem::take));
    drop(closing);
    (result, record.unwrap_or_default())
}

/// Where a net ends and candle's own operations follow (a loss, a softmax over classes): while a recording is under way,
/// `x` as a variable of its own, at which candle's `backward` stops and the record goes on; otherwise `x` itself.
///
/// # Errors
/// Where no copy of `x` can be made.
pub fn seam(x: &Tensor) -> Result<Tensor> {
    let wanted = x.track_op() && !x.is_variable() && noted(&[x]);
    if !wanted || !is_recording() {
        return Ok(x.clone());
    }
    let leaf = leaf(x)?;
    OPEN.with_borrow_mut(|open| {
        if let Some(record) = open.last_mut() {
            record.seams.push(Seam {
                made: x.clone(),
                leaf: leaf.clone(),
            });
        }
    });
    Ok(leaf)
}

/// Whether a recording is under way on this thread.
pub(super) fn is_recording() -> bool {
    OPEN.with_borrow(|open| !open.is_empty())
}

/// The same values as a variable, at which gradients stop.
pub(super) fn leaf(x: &Tensor) -> Result<Tensor> {
    Ok(Var::from_tensor(&x.detach())?.into_inner())
}

/// `op` of `x`, noted.
pub(crate) fn apply1(x: &Tensor, op: impl CustomOp1 + Send + Sync + 'static) -> Result<Tensor> {
    let op: Arc<Box<dyn CustomOp1 + Send + Sync>> = Arc::new(Box::new(op));
    let y = x.apply_op1_arc(op.clone())?;
    note(&y, || Step::One(x.clone(), op));
    Ok(y)
}

/// `op` of `x` and `w`, noted.
pub(crate) fn apply2(
    [x, w]: [&Tensor; 2],
    op: impl CustomOp2 + Send + Sync + 'static,
) -> Result<Tensor> {
    let op: Arc<Box<dyn CustomOp2 + Send + Sync>> = Arc::new(Box::new(op));
    let y = x.apply_op2_arc(w, op.clone())?;
    note(&y, || Step::Two([x.clone(), w.clone()], op));
    Ok(y)
}

/// `op` of `x`, `w` and `b`, noted.
pub(crate) fn apply3(
    [x, w, b]: [&Tensor; 3],
    op: impl CustomOp3 + Send + Sync + 'static,
) -> Result<Tensor> {
    let op: Arc<Box<dyn CustomOp3 + Send + Sync>> = Arc::new(Box::new(op));
    let y = x.apply_op3_arc(w, b, op.clone())?;
    note(&y, || Step::Three([x.clone(), w.clone(), b.clone()], op));
    Ok(y)
}

/// `op` of `a` and `b`, which must be their sum, noted as one.
pub(crate) fn apply_sum(
    [a, b]: [&Tensor; 2],
    op: impl CustomOp2 + Send + Sync + 'static,
) -> Result<Tensor> {
    let y = a.apply_op2(b, op)?;
    note(&y, || Step::Sum([a.clone(), b.clone()]));
    Ok(y)
}

/// `x` of four dimensions, seen in an order of them, noted.
#[cfg(feature = "cuda")]
pub(crate) fn seen(x: &Tensor, order: Order) -> Result<Tensor> {
    let y = x.permute(&order[0][..])?;
    note(&y, || Step::View(x.clone(), order));
    Ok(y)
}

/// `x` in another shape of as many elements, noted.
#[cfg(feature = "cuda")]
pub(crate) fn reshaped(x: &Tensor, shape: impl Into<Shape>) -> Result<Tensor> {
    let y = x.reshape(shape.into())?;
    note(&y, || Step::Reshaped(x.clone()));
    Ok(y)
}

fn note(y: &Tensor, step: impl FnOnce() -> Step) {
    if !y.track_op() {
        return;
    }
    OPEN.with_borrow_mut(|open| {
        if let Some(record) = open.last_mut() {
            record.steps.insert(y.id(), step());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_recording_ends_with_its_work_even_by_a_panic() {
        let x = Var::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let made = x.as_tensor().sqr().unwrap();
        let broken = std::panic::catch_unwind(|| recording(|| panic!("on purpose")));
        assert!(broken.is_err());
        assert_eq!(seam(&made).unwrap().id(), made.id());
        let ((inner, outer), record) = recording(|| {
            let (inner, record) = recording(|| seam(&made).unwrap());
            assert_eq!(record.seams.len(), 1);
            (inner, seam(&made).unwrap())
        });
        assert!(inner.is_variable() && outer.is_variable());
        assert_eq!(record.seams.len(), 1);
    }
}
