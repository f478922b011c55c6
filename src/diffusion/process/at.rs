//! Where the images of a batch stand on a schedule, and the coefficients that go with it.

use candle_core::{Result, Tensor};

/// One step for all images (sampling), or one for each (training).
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    All(usize),
    Each(&'a [usize]),
}

/// The images of a batch that stand at step 0.
#[derive(Clone, Copy, Debug)]
pub enum Zeros<'a> {
    None,
    All,
    /// Some of these steps, one an image, are 0.
    Among(&'a [usize]),
}

impl At<'_> {
    /// x [n, ...] times a coefficient of the step; computed in f64, cast to x's dtype.
    pub fn scale(self, x: &Tensor, coefficient: impl Fn(usize) -> f64) -> Result<Tensor> {
        match self {
            At::All(i) => x.affine(coefficient(i), 0.0),
            At::Each(_) => x.broadcast_mul(&self.column(x, coefficient)?),
        }
    }

    /// x [n, ...] over a coefficient of the step.
    pub fn divide(self, x: &Tensor, coefficient: impl Fn(usize) -> f64) -> Result<Tensor> {
        match self {
            At::All(i) => x.affine(1.0 / coefficient(i), 0.0),
            At::Each(_) => x.broadcast_div(&self.column(x, coefficient)?),
        }
    }

    /// x [n, ...] times one coefficient of the step plus another.
    pub fn affine(
        self,
        x: &Tensor,
        mul: impl Fn(usize) -> f64,
        add: impl Fn(usize) -> f64,
    ) -> Result<Tensor> {
        match self {
            At::All(i) => x.affine(mul(i), add(i)),
            At::Each(_) => x
                .broadcast_mul(&self.column(x, mul)?)?
                .broadcast_add(&self.column(x, add)?),
        }
    }

    /// The coefficient itself in the shape of `like` [n, ...], without storage for every element.
    pub fn spread(self, like: &Tensor, coefficient: impl Fn(usize) -> f64) -> Result<Tensor> {
        self.column(like, coefficient)?.broadcast_as(like.shape())
    }

    /// [n, 1, ...], of as many dimensions as `like`.
    fn column(self, like: &Tensor, coefficient: impl Fn(usize) -> f64) -> Result<Tensor> {
        let values: Vec<f64> = match self {
            At::All(i) => vec![coefficient(i); like.dim(0)?],
            At::Each(places) => places.iter().map(|&i| coefficient(i)).collect(),
        };
        let mut shape = vec![1; like.rank()];
        shape[0] = values.len();
        Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?
            .to_dtype(like.dtype())?
            .to_device(like.device())
    }
}

impl<'a> At<'a> {
    /// Which images stand at step 0.
    pub fn zeros(self) -> Zeros<'a> {
        match self {
            At::All(0) => Zeros::All,
            At::All(_) => Zeros::None,
            At::Each(places) if !places.contains(&0) => Zeros::None,
            At::Each(places) if places.iter().all(|&i| i == 0) => Zeros::All,
            At::Each(places) => Zeros::Among(places),
        }
    }
}
