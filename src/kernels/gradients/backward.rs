//! The gradients of a recorded net: the order of candle's `backward`, without its zeros and its copies.

use crate::kernels::gradients::checkpoint::take_inside;
use crate::kernels::gradients::record::{Record, Step};
use crate::kernels::pairs::{self, Sum, add_into};
use crate::kernels::view::{noted, ours};
use candle_core::backprop::GradStore;
use candle_core::{DType, Result, Tensor, TensorId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A gradient so far.
struct Held {
    gradient: Tensor,
    /// Nobody else holds its memory, so that more may be added in place.
    own: bool,
}

#[derive(Default)]
struct Gradients(HashMap<TensorId, Held>);

impl Gradients {
    fn add(&mut self, to: &Tensor, gradient: Tensor, own: bool) -> Result<()> {
        let new = Held { gradient, own };
        match self.0.entry(to.id()) {
            Entry::Vacant(entry) => {
                entry.insert(new);
            }
            Entry::Occupied(mut entry) => {
                let sum = sum(entry.get(), new)?;
                entry.insert(sum);
            }
        }
        Ok(())
    }
}

/// Both; in f32 on the CPU in the memory of one of them where that is its own.
fn sum(old: &Held, new: Held) -> Result<Held> {
    let gradient = if !ours(&[&old.gradient, &new.gradient]) {
        pairs::sum(&old.gradient.detach(), &new.gradient.detach())?
    } else if old.own {
        add_into(&old.gradient, &new.gradient)?;
        old.gradient.clone()
    } else if new.own {
        add_into(&new.gradient, &old.gradient)?;
        new.gradient
    } else {
        old.gradient.apply_op2_no_bwd(&new.gradient, &Sum)?
    };
    Ok(Held {
        gradient,
        own: true,
    })
}

impl Record {
    /// Gradients of `loss`, a scalar made in this recording, in every variable that it depends on, as candle's `backward`
    /// gives them: with one seam a tensor's gradients are added up in the same order, so that only the signs of zeros may
    /// differ; with several, the last bits may too.
    ///
    /// What lies between two [`seam`](super::record::seam)s and was not noted is left to candle; a net in which such an
    /// operation follows noted ones is left to it whole.
    ///
    /// # Errors
    /// Those of the operations' gradients.
    pub fn backward(self, loss: &Tensor) -> Result<GradStore> {
        // What a pass that failed has left.
        drop(take_inside());
        let mut grads = loss.backward()?;
        let mut reached = Vec::new();
        for seam in &self.seams {
            if let Some(gradient) = grads.remove(&seam.leaf) {
                reached.push((&seam.made, gradient.detach().contiguous()?));
            }
        }
        grads = self.through(&reached, grads)?;
        for inside in take_inside() {
            grads.extend(inside)?;
        }
        Ok(grads)
    }

    /// Gradients in every variable that `y`, made in this recording, depends on, given that of `y` itself. Those of weights
    /// inside checkpointed parts are left to the [`Record::backward`] around it.
    ///
    /// # Errors
    /// Those of the operations' gradients.
    pub(super) fn backward_from(self, y: &Tensor, dy: Tensor) -> Result<GradStore> {
        let reached = [(y, dy)];
        if noted(&[y]) {
            return self.through(&reached, GradStore::default());
        }
        Ok(by_candle(&reached)?.unwrap_or_default())
    }

    /// Adds to `grads` those of what the `reached` tensors were made of, given theirs.
    fn through(&self, reached: &[(&Tensor, Tensor)], mut grads: GradStore) -> Result<GradStore> {
        let mut held = Gradients::default();
        for (made, gradient) in reached {
            held.add(made, gradient.clone(), false)?;
        }
        let Some(root) = root(reached)? else {
            return Ok(grads);
        };
        let nodes = root.sorted_nodes();
        let mut rest = Vec::new();
        if self.mixed(&nodes) {
            for (made, _) in reached.iter().rev() {
                if let Some(last) = held.0.remove(&made.id()) {
                    rest.push((*made, last.gradient));
                }
            }
        } else {
            for node in nodes {
                if node.is_variable() {
                    continue;
                }
                let Some(Held { gradient, .. }) = held.0.remove(&node.id()) else {
                    continue;
                };
                match self.steps.get(&node.id()) {
                    Some(step) => step.back(node, gradient, &mut held)?,
                    None => rest.push((node, gradient)),
                }
            }
        }
        for (id, last) in held.0 {
            let sum = match grads.get_id(id) {
                Some(other) => other.add(&last.gradient)?.detach(),
                None => last.gradient,
            };
            grads.insert_id(id, sum);
        }
        if let Some(rest) = by_candle(&rest)? {
            grads.extend(rest)?;
        }
        Ok(grads)
    }

    /// How many tensors before the seams, no variables and part of the graph, were not noted: those that are left to candle.
    #[cfg(test)]
    pub(crate) fn left_to_candle(&self) -> usize {
        let nodes = self.seams.iter().flat_map(|seam| seam.made.sorted_nodes());
        let known = |node: &&Tensor| node.is_variable() || self.steps.contains_key(&node.id());
        nodes.filter(|node| !known(node)).count()
    }

    /// Whether one of `nodes` was not noted, takes the result of one that was, and gives to one that was. What was noted
    /// behind the last seam is not among them: candle's `backward` has been there.
    fn mixed(&self, nodes: &[&Tensor]) -> bool {
        let noted = |t: &Tensor| self.steps.contains_key(&t.id());
        let steps = nodes.iter().filter_map(|node| self.steps.get(&node.id()));
        let inputs = steps.flat_map(Step::inputs);
        let mut foreign = inputs.filter(|t| t.track_op() && !t.is_variable() && !noted(t));
        foreign.any(|t| t.sorted_nodes().into_iter().any(noted))
    }
}

impl Step {
    /// Adds the gradients of the inputs that are part of a graph, given the one of `y`.
    fn back(&self, y: &Tensor, dy: Tensor, held: &mut Gradients) -> Result<()> {
        let found = match self {
            Step::Sum(inputs) => {
                for input in inputs.iter().filter(|input| input.track_op()) {
                    held.add(input, dy.clone(), false)?;
                }
                return Ok(());
            }
            #[cfg(feature = "cuda")]
            Step::View(x, [_, back]) => {
                return held.add(x, dy.permute(&back[..])?, false);
            }
            #[cfg(feature = "cuda")]
            Step::Reshaped(x) => return held.add(x, dy.reshape(x.shape())?, false),
            Step::One(x, op) => [op.bwd(x, y, &dy)?, None, None],
            Step::Two([x, w], op) => {
                let (dx, dw) = op.bwd(x, w, y, &dy)?;
                [dx, dw, None]
            }
            Step::Three([x, w, b], op) => {
                let (dx, dw, db) = op.bwd(x, w, b, y, &dy)?;
                [dx, dw, db]
            }
        };
        for (input, gradient) in self.inputs().iter().zip(found) {
            if let Some(gradient) = gradient.filter(|_| input.track_op()) {
                // What is handed on as it came may be held elsewhere too.
                let own = gradient.id() != dy.id();
                held.add(input, gradient, own)?;
            }
        }
        Ok(())
    }
}

/// A tensor on which all of these depend, made without reading more than a number of each.
fn root(reached: &[(&Tensor, Tensor)]) -> Result<Option<Tensor>> {
    let mut root: Option<Tensor> = None;
    for (made, _) in reached {
        let one = made.flatten_all()?.get(0)?.to_dtype(DType::F32)?;
        root = Some(match root {
            Some(root) => (root + one)?,
            None => one,
        });
    }
    Ok(root)
}

/// The gradients that candle takes from these tensors on, given theirs, the last in the net first.
fn by_candle(rest: &[(&Tensor, Tensor)]) -> Result<Option<GradStore>> {
    let mut total: Option<Tensor> = None;
    for (tensor, gradient) in rest.iter().rev() {
        // Of what may be in halves and in f32; the value is of no use.
        let product = (*tensor * gradient)?.sum_all()?.to_dtype(DType::F32)?;
        total = Some(match total {
            Some(total) => (total + product)?,
            None => product,
        });
    }
    total.map(|total| total.backward()).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::attention::qkv::{Order, qkv_attention};
    use crate::kernels::conv::conv2d;
    use crate::kernels::embedding::{rows, shifted, silu};
    use crate::kernels::gradients::cast::cast;
    use crate::kernels::gradients::record::{recording, seam};
    use crate::kernels::linear::product::linear;
    use crate::kernels::norm::group_norm::{Activation, group_norm};
    use crate::kernels::resample;
    use candle_core::{Device, Var};

    /// Noted, then left to candle, then noted.
    fn between(x: &Tensor) -> Result<Tensor> {
        let h = pairs::sum(x, x)?.sqr()?;
        pairs::sum(&h, &h)
    }

    #[test]
    fn blocks_in_halves_are_noted_whole() -> Result<()> {
        for dtype in [DType::F32, DType::BF16, DType::F16] {
            let made = |shape: &[usize]| {
                Var::from_tensor(&Tensor::randn(0f32, 1.0, shape, &Device::Cpu)?.to_dtype(dtype)?)
            };
            let (x, w, p) = (
                made(&[2, 4, 4, 4])?,
                made(&[6, 8, 3, 3])?,
                made(&[2, 2, 2, 2])?,
            );
            let one = Tensor::ones(8, DType::F32, &Device::Cpu)?;
            let mask = x.ones_like()?;
            let block = || {
                let h = pairs::join(&pairs::masked(&x, &mask)?, &x)?;
                let h = group_norm(&h, 2, &one, &one, None, Activation::Silu)?;
                let h = conv2d(&resample::avg_pool2(&h)?, &w, None, 1, 1)?;
                let h = pairs::sum(&qkv_attention(&h, 1, Order::ByHead)?, &p)?;
                seam(&cast(&resample::upsample2(&h)?, DType::F32)?)?
                    .sqr()?
                    .sum_all()
            };
            let want = block()?.backward()?;
            let (loss, record) = recording(block);
            assert!(!record.mixed(&record.seams[0].made.sorted_nodes()));
            assert_eq!(record.left_to_candle(), 0, "{dtype:?}");
            let got = record.backward(&loss?)?;
            for var in [&x, &w, &p] {
                let [got, want] = [&got, &want].map(|grads| {
                    let gradient = grads.get(var).expect("a gradient").to_dtype(DType::F32)?;
                    gradient.flatten_all()?.to_vec1::<f32>()
                });
                assert_eq!(got?, want?, "{dtype:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn embeddings_and_what_they_are_added_to_are_noted_whole() -> Result<()> {
        let made =
            |shape: &[usize]| Var::from_tensor(&Tensor::randn(0f32, 1.0, shape, &Device::Cpu)?);
        let (x, table) = (made(&[3, 4, 5, 5])?, made(&[7, 6])?);
        let (first, offset) = (made(&[6, 2])?, made(&[6])?);
        let (scales, shifts) = (made(&[8, 6])?, made(&[4, 6])?);
        let (gain, bias) = (made(&[4])?, made(&[4])?);
        let waves = Tensor::randn(0f32, 1.0, (3, 2), &Device::Cpu)?;
        let labels = Tensor::new(&[6u32, 0, 6], &Device::Cpu)?;
        let net = || {
            let times = linear(&waves, &first, Some(&offset))?;
            let e = pairs::sum(&silu(&times)?, &rows(&table, &labels)?)?;
            let e = silu(&e)?;
            let adaptive = linear(&e, &scales, None)?;
            let h = shifted(&x, &linear(&e, &shifts, None)?)?;
            let h = group_norm(&h, 2, &gain, &bias, Some(&adaptive), Activation::Silu)?;
            seam(&group_norm(&h, 2, &gain, &bias, None, Activation::None)?)?
                .sqr()?
                .sum_all()
        };
        let want = net()?.backward()?;
        let (loss, record) = recording(net);
        assert_eq!(record.left_to_candle(), 0);
        let got = record.backward(&loss?)?;
        for var in [&x, &table, &first, &offset, &scales, &shifts, &gain, &bias] {
            let [got, want] = [&got, &want].map(|grads| {
                let gradient = grads.get(var).expect("a gradient");
                gradient.flatten_all()?.to_vec1::<f32>()
            });
            assert_eq!(got?, want?);
        }
        Ok(())
    }

    #[test]
    fn what_follows_the_last_seam_does_not_leave_the_net_to_candle() -> Result<()> {
        let x = Var::new(&[1f32, 2.0], &Device::Cpu)?;
        for (net, head, mixed) in [
            (false, false, false),
            (false, true, false),
            (true, false, true),
        ] {
            let (loss, record) = recording(|| {
                let made = pairs::sum(x.as_tensor(), x.as_tensor())?;
                let made = if net { between(&made)? } else { made };
                let end = seam(&made)?;
                let end = if head { between(&end)? } else { end };
                end.sum_all()
            });
            let nodes = record.seams[0].made.clone();
            assert_eq!(record.mixed(&nodes.sorted_nodes()), mixed);
            let found = record.backward(&loss?)?.remove(x.as_tensor());
            // Each `between` is 8 x^2 of what it takes.
            let slope = |x: f32| if net || head { 64.0 * x } else { 2.0 };
            let expected = [slope(1.0), slope(2.0)];
            assert_eq!(
                found.map(|g| g.to_vec1::<f32>()).transpose()?,
                Some(expected.to_vec())
            );
        }
        Ok(())
    }
}
