//! cuBLAS: batched products of f32 and halves, summed in f32.

use crate::counts::count;
use crate::driver::give;
use crate::memory::holds;
use crate::values::{Kind, Matrix, product};
use std::ffi::{c_int, c_longlong, c_void};

type Status = c_int;
const OK: Status = 0;
const INVALID_VALUE: Status = 7;
const NOT_SUPPORTED: Status = 15;
type Handle = *mut c_void;

const SOMETHING: usize = 0x20;
/// Operations: as it lies, transposed.
const PLAIN: c_int = 0;
const TURNED: c_int = 1;
/// Sums in f32, of inputs as they are, or of f32 that may be rounded.
const IN_F32: [c_int; 4] = [68, 74, 75, 77];

fn kind(data_type: c_int) -> Option<Kind> {
    match data_type {
        0 => Some(Kind::F32),
        2 => Some(Kind::F16),
        14 => Some(Kind::Bf16),
        _ => None,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasCreate_v2(handle: *mut Handle) -> Status {
    unsafe { give(handle, SOMETHING as Handle) }
}

#[unsafe(no_mangle)]
extern "C" fn cublasDestroy_v2(_: Handle) -> Status {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetStream_v2(_: Handle, _: Handle) -> Status {
    OK
}

/// A batch of matrices in memory, columns one after the other.
struct Batch {
    at: *const c_void,
    kind: Kind,
    leading: usize,
    stride: usize,
}

impl Batch {
    /// Matrix `i` `[rows, columns]` as f32, column after column without gaps.
    ///
    /// # Safety
    /// The buffers of the device stay as they are.
    unsafe fn read(&self, i: usize, rows: usize, columns: usize) -> Option<Vec<f32>> {
        let last = i * self.stride + (columns - 1) * self.leading + rows;
        if self.leading < rows || !holds(self.at, last * self.kind.bytes()) {
            return None;
        }
        let place = |at: usize| i * self.stride + at / rows * self.leading + at % rows;
        Some(
            (0..rows * columns)
                .map(|at| unsafe { self.kind.read(self.at, place(at)) })
                .collect(),
        )
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cublasGemmStridedBatchedEx(
    _: Handle,
    turn_a: c_int,
    turn_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const c_void,
    a: *const c_void,
    a_type: c_int,
    lda: c_int,
    stride_a: c_longlong,
    b: *const c_void,
    b_type: c_int,
    ldb: c_int,
    stride_b: c_longlong,
    beta: *const c_void,
    c: *mut c_void,
    c_type: c_int,
    ldc: c_int,
    stride_c: c_longlong,
    batch: c_int,
    compute: c_int,
    _: c_int,
) -> Status {
    count("products");
    let kinds = (kind(a_type), kind(b_type), kind(c_type));
    let (Some(a_kind), Some(b_kind), Some(c_kind)) = kinds else {
        return NOT_SUPPORTED;
    };
    if !IN_F32.contains(&compute) || a_kind != b_kind {
        eprintln!("cuda emulator: a product of {a_kind:?} and {b_kind:?} in {compute} is not here");
        return NOT_SUPPORTED;
    }
    if ![turn_a, turn_b].iter().all(|t| [PLAIN, TURNED].contains(t)) {
        return INVALID_VALUE;
    }
    let [m, n, k, lda, ldb, ldc, batch] = [m, n, k, lda, ldb, ldc, batch].map(|v| v as usize);
    let (alpha, beta) = unsafe { (alpha.cast::<f32>().read(), beta.cast::<f32>().read()) };
    let of = |at, kind, leading, stride: c_longlong| Batch {
        at,
        kind,
        leading,
        stride: stride as usize,
    };
    let (a, b) = (of(a, a_kind, lda, stride_a), of(b, b_kind, ldb, stride_b));
    let mut made = vec![0f32; m * n];
    for i in 0..batch {
        let matrix = |from: &Batch, turn: c_int, rows: usize, columns: usize| {
            // Columns one after the other are the rows of the transpose.
            let (r, c) = if turn == PLAIN {
                (rows, columns)
            } else {
                (columns, rows)
            };
            unsafe { from.read(i, r, c) }.map(|values| (values, r, c))
        };
        let both = (matrix(&a, turn_a, m, k), matrix(&b, turn_b, k, n));
        let (Some((a, ar, ac)), Some((b, br, bc))) = both else {
            eprintln!("cuda emulator: a product reads beyond a buffer");
            return INVALID_VALUE;
        };
        let as_asked = |values, r, c, turn| {
            let lying = Matrix::of_rows(values, c, r);
            if turn == PLAIN { lying.turned() } else { lying }
        };
        product(
            as_asked(&a, ar, ac, turn_a),
            as_asked(&b, br, bc, turn_b),
            &mut made,
        );
        let start = i * stride_c as usize;
        if ldc < m || !holds(c, (start + (n - 1) * ldc + m) * c_kind.bytes()) {
            eprintln!("cuda emulator: a product writes beyond a buffer");
            return INVALID_VALUE;
        }
        for row in 0..m {
            for column in 0..n {
                let at = start + column * ldc + row;
                unsafe {
                    let before = if beta == 0.0 {
                        0.0
                    } else {
                        beta * c_kind.read(c, at)
                    };
                    c_kind.write(c, at, alpha * made[row * n + column] + before);
                }
            }
        }
    }
    OK
}
