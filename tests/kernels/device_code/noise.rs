//! Gaussian noise: the CPU's bits.

use super::{kernel, kernels, launch};
use fidrunner::diffusion::random::noise::Noise;
use fidrunner::random::stream::{first_block, key};

type Normal = unsafe extern "C" fn(
    out: *mut f32,
    key0: u64,
    key1: u64,
    key2: u64,
    key3: u64,
    counter: u64,
    first: u64,
    each: i32,
    blocks: i32,
    count: i32,
);

#[test]
fn noise_is_the_cpus_to_the_bit() {
    let Some(library) = kernels() else { return };
    let function: Normal = kernel::<f32, _>(library, "normal");
    let (seed, purpose) = (0x0123_4567_89ab_cdef_u64, "a purpose of 24 letters!");
    let bytes = key(seed, purpose);
    let words = bytes.as_chunks::<8>().0;
    let [key0, key1, key2, key3] = [0, 1, 2, 3].map(|k| u64::from_le_bytes(words[k]));
    // A lane past 32 bits, a late step, and rows that end within a block and within a pair.
    for (first, step, each) in [(0, 0, 768), ((1 << 40) + 5, 1001, 37), (7, 3, 8)] {
        let (n, blocks) = (3usize, usize::div_ceil(each, 8));
        let out = launch(
            library,
            (2, 32),
            vec![f32::NAN; n * each],
            Vec::as_mut_ptr,
            // SAFETY: `out` has n rows of `each`.
            |out| unsafe {
                let (each, count) = (each as i32, (n * blocks) as i32);
                let blocks = blocks as i32;
                let counter = first_block(step);
                function(
                    out, key0, key1, key2, key3, counter, first, each, blocks, count,
                )
            },
        );
        let noise = Noise::apart(seed, purpose);
        let mut want = vec![0f32; each];
        for (lane, row) in out.chunks(each).enumerate() {
            noise.normal(first + lane as u64, step, &mut want);
            let bits = |row: &[f32]| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(
                bits(row),
                bits(&want),
                "lane {lane} from {first}, step {step}"
            );
        }
    }
}
