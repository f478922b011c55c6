//! Whether what a draw calculates stays finite, read where it costs no waiting.

use candle_core::{D, DType, Result, Tensor, bail};
use std::cell::RefCell;

/// Checks that wait to be read at most: so many cost one reading.
const TOGETHER: usize = 64;

/// The checks of one draw. On a CPU each is read where it is made; a GPU would then stand still until it has caught up, so
/// there they are read many at a time, and the message is that of the earliest.
#[derive(Default)]
pub struct Checks {
    /// A sum that is finite where its tensor is, and what to say where it is not.
    waiting: RefCell<Vec<(Tensor, String)>>,
}

impl Checks {
    /// `tensor` [n, c, h, w] must be finite; `otherwise` is what to say where it is not. Whoever draws calls
    /// [`Checks::settle`] at the end.
    ///
    /// # Errors
    /// What a check says that is read now: this one, or one that waited.
    pub fn finite(&self, tensor: &Tensor, otherwise: impl FnOnce() -> String) -> Result<()> {
        // An infinity or a NaN anywhere makes the sum one. Plane by plane first: a GPU makes each sum on one of its processors.
        let planes = tensor.flatten_from(2)?.sum(D::Minus1)?;
        let sum = planes.sum_all()?.to_dtype(DType::F64)?;
        if !tensor.device().is_cpu() {
            return self.gather(sum, otherwise());
        }
        if !sum.to_scalar::<f64>()?.is_finite() {
            bail!("{}", otherwise());
        }
        Ok(())
    }

    fn gather(&self, sum: Tensor, otherwise: String) -> Result<()> {
        self.waiting.borrow_mut().push((sum, otherwise));
        if self.waiting.borrow().len() < TOGETHER {
            return Ok(());
        }
        self.settle()
    }

    /// Reads what waits.
    ///
    /// # Errors
    /// What the earliest check says that failed.
    pub fn settle(&self) -> Result<()> {
        let waiting = self.waiting.take();
        if waiting.is_empty() {
            return Ok(());
        }
        let sums: Vec<&Tensor> = waiting.iter().map(|(sum, _)| sum).collect();
        let sums = Tensor::stack(&sums, 0)?.to_vec1::<f64>()?;
        let failed = sums.iter().position(|sum| !sum.is_finite());
        match failed.and_then(|at| waiting.get(at)) {
            Some((_, told)) => bail!("{told}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The first line of the error: a backtrace may follow.
    fn said(result: Result<()>) -> String {
        let error = result.expect_err("an error").to_string();
        error.lines().next().unwrap_or_default().to_string()
    }

    fn images(value: f32) -> Result<Tensor> {
        Tensor::full(value, (1, 1, 2, 2), &Device::Cpu)
    }

    fn sum(value: f64) -> Result<Tensor> {
        Tensor::new(value, &Device::Cpu)
    }

    #[test]
    fn on_a_cpu_a_check_is_read_at_once() -> Result<()> {
        let checks = Checks::default();
        checks.finite(&images(1.0)?, || "one".into())?;
        assert_eq!(
            said(checks.finite(&images(f32::NAN)?, || "two".into())),
            "two"
        );
        Ok(())
    }

    #[test]
    fn gathered_checks_say_what_the_earliest_says() -> Result<()> {
        let checks = Checks::default();
        for (value, name) in [(1.0, "one"), (f64::INFINITY, "two"), (f64::NAN, "three")] {
            checks.gather(sum(value)?, name.into())?;
        }
        assert_eq!(said(checks.settle()), "two");
        // They were read, and wait no longer.
        checks.settle()
    }

    #[test]
    fn a_long_draw_is_read_on_its_way() -> Result<()> {
        let checks = Checks::default();
        checks.gather(sum(f64::NAN)?, "first".into())?;
        for _ in 2..TOGETHER {
            checks.gather(sum(0.0)?, "later".into())?;
        }
        assert_eq!(said(checks.gather(sum(0.0)?, "last".into())), "first");
        Ok(())
    }
}
