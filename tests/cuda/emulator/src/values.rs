//! Numbers of the device: read as f32, written rounded.

use half::{bf16, f16};
use std::ffi::c_void;

/// A type of float in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
}

impl Kind {
    pub fn bytes(self) -> usize {
        match self {
            Kind::F32 => 4,
            Kind::F16 | Kind::Bf16 => 2,
        }
    }

    /// The value at index `at`.
    ///
    /// # Safety
    /// It is in the buffer.
    pub unsafe fn read(self, from: *const c_void, at: usize) -> f32 {
        unsafe {
            match self {
                Kind::F32 => from.cast::<f32>().add(at).read(),
                Kind::F16 => from.cast::<f16>().add(at).read().to_f32(),
                Kind::Bf16 => from.cast::<bf16>().add(at).read().to_f32(),
            }
        }
    }

    /// Writes `value` at index `at`.
    ///
    /// # Safety
    /// It is in the buffer.
    pub unsafe fn write(self, to: *mut c_void, at: usize, value: f32) {
        unsafe {
            match self {
                Kind::F32 => to.cast::<f32>().add(at).write(value),
                Kind::F16 => to.cast::<f16>().add(at).write(f16::from_f32(value)),
                Kind::Bf16 => to.cast::<bf16>().add(at).write(bf16::from_f32(value)),
            }
        }
    }
}

/// A matrix: where element (0, 0) is, how far the next row and the next column are.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub next_row: usize,
    pub next_column: usize,
}

impl<'a> Matrix<'a> {
    /// Row after row, without gaps.
    pub fn of_rows(values: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        assert_eq!(values.len(), rows * columns);
        Matrix {
            values,
            rows,
            columns,
            next_row: columns,
            next_column: 1,
        }
    }

    pub fn turned(self) -> Matrix<'a> {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            next_row: self.next_column,
            next_column: self.next_row,
            ..self
        }
    }

    fn holds(&self) -> bool {
        let last = |count: usize, step: usize| (count - 1) * step;
        self.rows == 0
            || self.columns == 0
            || last(self.rows, self.next_row) + last(self.columns, self.next_column)
                < self.values.len()
    }
}

/// `to [m, n]`, row after row, becomes `a [m, k] · b [k, n]`.
pub fn product(a: Matrix, b: Matrix, to: &mut [f32]) {
    assert!(a.columns == b.rows && to.len() == a.rows * b.columns && a.holds() && b.holds());
    let step = |n: usize| n as isize;
    // SAFETY: the sizes are those of the slices.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            to.as_mut_ptr(),
            1,
            step(b.columns),
            false,
            a.values.as_ptr(),
            step(a.next_column),
            step(a.next_row),
            b.values.as_ptr(),
            step(b.next_column),
            step(b.next_row),
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
