//! The GPU's kernels without a GPU: their source through a C++ compiler, its threads as fibers, against the CPU's operations.
//! What only a card can show, its own `exp`, `log` and fused products, is in `tests/cuda`.

mod channels_last;
mod elements;
mod images;
mod noise;
mod norms;
mod rows;

use crate::support::tensors::normal;
use candle_core::{Device, Result, Tensor, Var};
use fidrunner::kernels::device_code::{source, source_of};
use half::{bf16, f16};
use libloading::Library;
use std::ffi::c_void;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The compiled kernels; None where there is no C++ compiler that makes them, which the test says.
fn kernels() -> Option<&'static Library> {
    static BUILT: OnceLock<Option<Library>> = OnceLock::new();
    BUILT.get_or_init(|| build("kernels", &source())).as_ref()
}

/// `source` behind the words of CUDA, as a library of this name.
fn build(name: &str, source: &str) -> Option<Library> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // A test program that runs beside this one has files of its own.
    let name = format!("{name}-{}", std::process::id());
    let [text, made] = ["cpp", "so"].map(|kind| folder.join(format!("{name}.{kind}")));
    std::fs::write(&text, [include_str!("host.hpp"), source].concat()).expect("the source");
    let call = Command::new("c++")
        .args(["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared"])
        .arg("-o")
        .args([&made, &text])
        .output();
    let library = match call {
        Ok(call) if call.status.success() => {
            // SAFETY: it was made here, and nothing in it runs when it is loaded.
            let loaded = unsafe { Library::new(&made) };
            Some(loaded.expect("what was compiled can be loaded"))
        }
        Ok(call) if cfg!(target_os = "linux") => {
            panic!("{}", String::from_utf8_lossy(&call.stderr))
        }
        Ok(call) => {
            println!("skipped: {}", String::from_utf8_lossy(&call.stderr));
            None
        }
        Err(error) => {
            println!("skipped: no C++ compiler `c++` ({error})");
            None
        }
    };
    // What is loaded stays.
    [text, made]
        .iter()
        .for_each(|file| _ = std::fs::remove_file(file));
    library
}

/// Blocks and threads of a launch.
type Grid = (usize, usize);

/// Runs `body`, a call of one kernel on `pointers` into `results`, as every thread of the grid, in an order of the threads
/// and in its reverse; both orders must leave the same bits, which are given back.
fn launch<R: Clone + PartialEq + std::fmt::Debug, P: Copy>(
    library: &Library,
    (blocks, threads): Grid,
    results: R,
    pointers: impl Fn(&mut R) -> P,
    body: impl Fn(P),
) -> R {
    /// The library's threads are global: one launch at a time.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    type Body<'a> = dyn Fn() + 'a;
    extern "C" fn call(data: *mut c_void) {
        // SAFETY: `data` is the reference to a closure below, which lives as long as the launch.
        unsafe { (*data.cast::<&Body>())() }
    }
    type RunGrid = unsafe extern "C" fn(u32, u32, i32, extern "C" fn(*mut c_void), *mut c_void);
    // SAFETY: the type is that of `run_grid` in host.hpp.
    let run = unsafe { library.get::<RunGrid>(b"run_grid") }.expect("run_grid");
    let [forwards, backwards] = [0, 1].map(|backwards| {
        let mut results = results.clone();
        let places = pointers(&mut results);
        let of_one_thread = || body(places);
        let mut reference: &Body = &of_one_thread;
        let data = (&raw mut reference).cast();
        // SAFETY: the kernels write where `results` has room, as the tests size it.
        unsafe { run(blocks as u32, threads as u32, backwards, call, data) };
        results
    });
    assert_eq!(forwards, backwards, "the order of the threads shows");
    forwards
}

/// A type of float of the kernels.
trait Float: Copy + PartialEq + std::fmt::Debug + 'static {
    const NAME: &'static str;
    /// What rounding to it, there and back, moves a value by at most, of its size.
    const ROUNDING: f64;
    fn of(x: f32) -> Self;
    fn wide(self) -> f32;
}

macro_rules! float {
    ($type:ty, $name:literal, $rounding:literal, $of:expr, $wide:expr) => {
        impl Float for $type {
            const NAME: &'static str = $name;
            const ROUNDING: f64 = $rounding;
            fn of(x: f32) -> Self {
                $of(x)
            }
            fn wide(self) -> f32 {
                $wide(self)
            }
        }
    };
}
float!(f32, "f32", 0.0, |x| x, |x| x);
float!(f16, "f16", 4.9e-4, f16::from_f32, f16::to_f32);
float!(bf16, "bf16", 3.91e-3, bf16::from_f32, bf16::to_f32);

/// The kernel `name` for `T`, of the function type `F`.
fn kernel<T: Float, F: Copy>(library: &Library, name: &str) -> F {
    let name = format!("{name}_{}", T::NAME);
    // SAFETY: the tests name the type that the source declares.
    *unsafe { library.get::<F>(name.as_bytes()) }.expect(&name)
}

fn rounded<T: Float>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&v| T::of(v)).collect()
}

/// The largest difference over the largest value of `want`.
fn off<T: Float>(got: &[T], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len(), "the number of values");
    let largest = want.iter().fold(0f32, |most, v| most.max(v.abs()));
    let far = |(got, want): (&T, &f32)| f64::from((got.wide() - want).abs());
    let most = got.iter().zip(want).map(far).fold(0.0, f64::max);
    assert!(
        largest > 0.0 && got.iter().all(|v| v.wide().is_finite()),
        "values that say nothing"
    );
    most / f64::from(largest)
}

/// The same on inputs that were rounded to `T`: sums in another order, and for halves one rounding of the result.
fn close<T: Float>(what: &str, got: &[T], want: &[f32]) {
    let off = off(got, want);
    let allowed = 2e-5 + T::ROUNDING;
    assert!(off <= allowed, "{what} {}: off by {off:.1e}", T::NAME);
}

/// Calls a test for each type of float.
macro_rules! each_float {
    ($test:ident ( $($argument:expr),* )) => {
        $test::<f32>($($argument),*);
        $test::<half::f16>($($argument),*);
        $test::<half::bf16>($($argument),*);
    };
}
use each_float;

/// Seeded numbers that `T` holds as they are, and the same as a tensor of f32.
fn input<T: Float>(seed: u64, shape: &[usize], scale: f32, shift: f32) -> (Vec<T>, Tensor) {
    let plain = values(&(normal(seed, shape, scale).unwrap() + f64::from(shift)).unwrap());
    let typed = rounded::<T>(&plain);
    let wide: Vec<f32> = typed.iter().map(|v| v.wide()).collect();
    (typed, Tensor::from_vec(wide, shape, &Device::Cpu).unwrap())
}

fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.flatten_all().and_then(|flat| flat.to_vec1());
    flat.expect("f32")
}

/// What `run` makes of the inputs, and the gradients of its product with `dy`.
fn with_gradients(
    inputs: &[&Tensor],
    dy: &Tensor,
    run: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let vars = inputs.iter().map(|t| Var::from_tensor(t));
    let vars = vars.collect::<Result<Vec<Var>>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = run(&tensors)?;
    let grads = (&y * dy)?.sum_all()?.backward()?;
    let found = vars
        .iter()
        .map(|v| values(grads.get(v).expect("a gradient")));
    Ok((values(&y), found.collect()))
}

#[test]
#[should_panic(expected = "the order of the threads shows")]
fn a_kernel_whose_threads_race_is_noticed() {
    let racy = r#"
        extern "C" __global__ void last_f32(float *y) {
            __syncthreads();
            y[0] = threadIdx.x;
        }
    "#;
    let Some(library) = build("racy", racy) else {
        panic!("skipped, as the others: the order of the threads shows")
    };
    let last: unsafe extern "C" fn(*mut f32) = kernel::<f32, _>(&library, "last");
    // SAFETY: it writes one value.
    launch(&library, (1, 32), vec![0f32], Vec::as_mut_ptr, |y| unsafe {
        last(y)
    });
}

#[test]
fn the_kernels_of_one_type_are_all_of_its_and_no_others() {
    for only in ["f32", "f16", "bf16"] {
        let Some(library) = build(&format!("of-{only}"), &source_of(only)) else {
            return;
        };
        let has = |name: &str| {
            // SAFETY: it is looked for, and not called.
            unsafe { library.get::<*const c_void>(name.as_bytes()) }.is_ok()
        };
        for float in ["f32", "f16", "bf16"] {
            let each = ["group_norm", "softmax", "add_bias", "norm_last"];
            for name in each.map(|name| format!("{name}_{float}")) {
                assert_eq!(has(&name), float == only, "{name} among those of {only}");
            }
        }
        for name in ["adamw_f32", "affine_grad_f32", "normal_f32"] {
            assert_eq!(has(name), only == "f32", "{name} among those of {only}");
        }
    }
}
