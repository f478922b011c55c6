//! Copies of trained weights in another type, for the parts of a net that calculate in it ("Mixed Precision Training",
//! arXiv:1710.03740, section 3.1): gradients are those of the copies, the optimizer moves the f32 weights, and the copies
//! follow.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The copies that a net has asked for, by the names of their weights.
#[derive(Clone, Default)]
pub struct Copies(Arc<Mutex<HashMap<String, Var>>>);

impl Copies {
    fn made(&self) -> MutexGuard<'_, HashMap<String, Var>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out `weights`, all f32, by name: what is asked for in f32 itself, and in another type a copy that is kept here.
    pub fn builder(
        &self,
        weights: HashMap<String, Tensor>,
        device: &Device,
    ) -> VarBuilder<'static> {
        let weights = Weights {
            weights,
            copies: self.clone(),
        };
        VarBuilder::from_backend(Box::new(weights), DType::F32, device.clone())
    }

    /// The gradient in the copy of the weight `name`, widened to f32; none where there is no copy, or no gradient reached it.
    pub(super) fn gradient(&self, name: &str, grads: &mut GradStore) -> Result<Option<Tensor>> {
        let gradient = self.made().get(name).and_then(|copy| grads.remove(copy));
        gradient.map(|g| g.to_dtype(DType::F32)).transpose()
    }

    /// Sets the copy of the weight `name`, where there is one, to what the weight is now.
    pub(super) fn follow(&self, name: &str, weight: &Tensor) -> Result<()> {
        match self.made().get(name) {
            Some(copy) => copy.set(&weight.detach().to_dtype(copy.dtype())?),
            None => Ok(()),
        }
    }
}

/// What a net is built from.
struct Weights {
    weights: HashMap<String, Tensor>,
    copies: Copies,
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let weight = self.get_unchecked(name, dtype, device)?;
        if *weight.shape() != shape {
            bail!("`{name}` is {:?}, the net needs {shape:?}", weight.shape());
        }
        Ok(weight)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> Result<Tensor> {
        let Some(weight) = self.weights.get(name) else {
            bail!("there is no weight `{name}`")
        };
        if dtype == weight.dtype() {
            return Ok(weight.clone());
        }
        let mut made = self.copies.made();
        if let Some(copy) = made.get(name) {
            // Gradients of two copies would not be added up.
            if copy.dtype() != dtype {
                bail!("`{name}` is asked for in {:?} and {dtype:?}", copy.dtype());
            }
            return Ok(copy.as_tensor().clone());
        }
        let copy = Var::from_tensor(&weight.detach().to_dtype(dtype)?)?;
        let tensor = copy.as_tensor().clone();
        made.insert(name.to_string(), copy);
        Ok(tensor)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }
}
