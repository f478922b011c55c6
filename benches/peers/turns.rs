//! Two sides taking turns, so that a busy machine slows both, and the lines that say how long each took.

use super::torch::Peer;
use candle_core::{Device, Result};
use fidrunner::machine::cores::{self, beside};
use fidrunner::machine::isa::Isa;
use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Turns a side takes; each is calls to warm up for `WARM`, at least one, and `repeat` timed ones.
const ROUNDS: usize = 5;
/// As long as the peer warms up (`torch_ops.py`).
const WARM: Duration = Duration::from_millis(20);
/// A side's idle threads look for work for a while after its turn, on the other side's cores.
const SETTLE: Duration = Duration::from_millis(300);

/// The option that keeps both sides to AVX2.
pub const AVX2: &str = "--avx2";

/// A machine's two sides; the second may be missing.
pub struct Turns {
    peer: std::result::Result<Peer, String>,
    repeat: usize,
    device: Device,
}

impl Turns {
    /// Starts PyTorch on the CPU and prints the head of the table.
    pub fn start(repeat: usize) -> Turns {
        Turns::on(Device::Cpu, "cpu", repeat)
    }

    /// The same where our side calculates on `device`, which PyTorch calls `name`. Call it before anything calculates. With
    /// `--avx2` among the program's arguments neither side uses wider vectors than AVX2 has.
    pub fn on(device: Device, name: &str, repeat: usize) -> Turns {
        cores::settle(None)
            .expect("nothing calculated before, so rayon's threads are not started yet");
        let threads = rayon::current_num_threads();
        let avx2 = std::env::args().any(|word| word == AVX2);
        assert!(!avx2 || Isa::Avx2.choose(), "this machine has no AVX2");
        let peer = Peer::start(threads, name, avx2.then_some("avx2"));
        match &peer {
            Ok(p) => println!("{threads} threads, {:?}, beside {}", Isa::best(), p.name),
            Err(why) => println!("{threads} threads, {:?}, ours alone: {why}", Isa::best()),
        }
        let head = "median ms: ours, torch, ratio; best ms: ours, torch, ratio";
        println!("{:<58} {head}", "");
        Turns {
            peer,
            repeat,
            device,
        }
    }

    /// Times `run` beside the peer's answer to `request`, and prints a line.
    pub fn row(
        &mut self,
        name: &str,
        request: Value,
        run: &mut (dyn FnMut() -> Result<()> + Send),
    ) -> Result<()> {
        self.row_beside(name, &mut [("", request)], run)
    }

    /// The same where the peer has several ways, by name, to do the same thing: all of them are timed, the fastest counts,
    /// and the line ends with its name.
    pub fn row_beside(
        &mut self,
        name: &str,
        ways: &mut [(&str, Value)],
        run: &mut (dyn FnMut() -> Result<()> + Send),
    ) -> Result<()> {
        for (_, request) in ways.iter_mut() {
            request["repeat"] = self.repeat.into();
        }
        let (mut ours, mut theirs) = (Vec::new(), vec![Vec::new(); ways.len()]);
        for _ in 0..ROUNDS {
            if self.peer.is_ok() {
                sleep(SETTLE);
            }
            ours.push(beside(&self.device, || turn(run, self.repeat))?);
            if let Ok(peer) = &mut self.peer {
                for ((_, request), times) in ways.iter().zip(&mut theirs) {
                    sleep(SETTLE);
                    times.extend(peer.measure(request));
                }
            }
        }
        print!("{name:<58}");
        let mut fastest = "";
        for pick in [median, best] {
            let ours = pick(&mut ours);
            let mut least = f64::INFINITY;
            for ((way, _), times) in ways.iter().zip(&mut theirs) {
                let time = if times.is_empty() { least } else { pick(times) };
                if time < least {
                    (least, fastest) = (time, way);
                }
            }
            if least.is_finite() {
                print!(" {ours:>9.2} {least:>9.2} {:>6.2}", least / ours);
            } else {
                print!(" {ours:>9.2}");
            }
        }
        println!(" {fastest}");
        Ok(())
    }
}

/// The median milliseconds of one turn, taken where the program itself calls its kernels: on a thread of the pool.
fn turn(run: &mut (dyn FnMut() -> Result<()> + Send), repeat: usize) -> Result<f64> {
    let start = Instant::now();
    run()?;
    while start.elapsed() < WARM {
        run()?;
    }
    let mut times = Vec::new();
    for _ in 0..repeat {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&mut times))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn best(times: &mut [f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}
