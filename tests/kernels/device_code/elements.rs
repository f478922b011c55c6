//! What goes through weights element by element: AdamW with its EMA.

use super::{close, input, kernel, kernels, launch, values};
use candle_core::Tensor;
use fidrunner::experiment::file::experiment::Train;
use fidrunner::stages::train::optimizer::adamw::AdamW;

type Update = unsafe extern "C" fn(
    all: *const Moving,
    count: i32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    decay: f32,
    rate: f32,
    root: f32,
    eps: f32,
    ema: f32,
);

/// As the kernel has it.
#[repr(C)]
struct Moving {
    weight: *mut f32,
    state: *mut f32,
    grad: *const f32,
    n: u64,
    first: u64,
}

/// Elements of a block.
const CHUNK: usize = 4096;

/// Steps of the test: the moments have a past.
const STEPS: i32 = 3;
const RATE: f64 = 0.01;

#[test]
fn adamw_moves_weights_moments_and_the_average_as_on_the_cpu() {
    let Some(library) = kernels() else { return };
    let text = "data = 'shapes'\nsteps = 10\nbatch = 1\nlearning_rate = 0.01\nweight_decay = 0.5\nema = 0.9";
    let train: Train = toml::from_str(text).unwrap();
    // Two blocks, the second not full, and tensors without elements around them.
    let n = CHUNK + 1000;
    let (mut weight, wide) = input::<f32>(1, &[n], 1.0, 0.0);
    let zeros = vec![0f32; n];
    let mut state = [&zeros[..], &zeros, &weight].concat();
    let mut adamw = AdamW::new(vec![("w".into(), wide)], &train).unwrap();
    let update: Update = kernel::<f32, _>(library, "adamw");
    for step in 1..=STEPS {
        let (grad, slope) = input::<f32>(1 + step as u64, &[n], 0.1, 0.05);
        let loss = (&adamw.tensors()["w"] * slope).and_then(|p| p.sum_all());
        let grads = loss.and_then(|loss| loss.backward()).unwrap();
        let grads = adamw.gradients(grads).unwrap();
        adamw.update(&grads, RATE).unwrap();

        // The published rule's coefficients, as `Update::at` takes them.
        let (rest1, beta2, rest2) = ((1.0 - 0.9f64) as f32, 0.999f32, (1.0 - 0.999f64) as f32);
        let decay = (1.0 - RATE * 0.5) as f32;
        let rate = (RATE / (1.0 - 0.9f64.powi(step))) as f32;
        let root = (1.0 / (1.0 - 0.999f64.powi(step)).sqrt()) as f32;
        let (eps, ema) = (1e-8f32, (1.0 - 0.9f64) as f32);
        (weight, state) = launch(
            library,
            (2, 64),
            (weight, state),
            |(weight, state)| (weight.as_mut_ptr(), state.as_mut_ptr()),
            |(weight, state)| {
                let grad = grad.as_ptr();
                let part = |n: usize, first| Moving {
                    weight,
                    state,
                    grad,
                    n: n as u64,
                    first,
                };
                let all = [part(0, 0), part(n, 0), part(0, 2)];
                // SAFETY: the sizes are those of the buffers.
                unsafe {
                    update(
                        all.as_ptr(),
                        3,
                        rest1,
                        beta2,
                        rest2,
                        decay,
                        rate,
                        root,
                        eps,
                        ema,
                    )
                }
            },
        );
    }
    let saved = adamw.save();
    let named = |name: &str| -> &Tensor {
        let found = saved.iter().find(|(known, _)| known == name);
        &found.expect(name).1
    };
    close("weights", &weight, &values(named("w")));
    let want = values(named("state/w"));
    for (k, part) in ["first moments", "second moments", "the average"]
        .iter()
        .enumerate()
    {
        close(part, &state[k * n..][..n], &want[k * n..][..n]);
    }
}
