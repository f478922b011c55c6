//! Image files to network input beside clean-fid's loader, in turns: `cargo bench --bench loader`. 300 photo-like JPEGs
//! of 500 by 375 in 4:2:0, resized as clean-fid does, on two threads each. `PYTHON` names an interpreter with
//! `benches/peers/evaluators.txt`; without it ours runs alone.

mod peers;

use anyhow::{Context, Result};
use fidrunner::data::gallery::Gallery;
use fidrunner::data::loader::{Loader, Make, Order};
use fidrunner::data::resize::input;
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::machine::alloc::{LineAligned, keep_pages};
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
use peers::torch::Peer;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: LineAligned = LineAligned;

/// Numbers in one image's input for Inception.
const INPUT: usize = Preprocessing::Tf1.input_len();

const IMAGES: usize = 300;
const WIDTH: usize = 500;
const HEIGHT: usize = 375;
const THREADS: usize = 2;
const ROUNDS: usize = 7;

/// A drawn scene under grain, so that the decoder has as many coefficients to read as in a photo.
fn photo(index: u64) -> Vec<u8> {
    let mut pixels = Scene::of(Stream::Train, index).render(WIDTH);
    pixels.truncate(WIDTH * HEIGHT * 3);
    let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in &mut pixels {
        z ^= z << 13;
        z ^= z >> 7;
        z ^= z << 17;
        *byte = byte.saturating_add((z % 24) as u8);
    }
    pixels
}

fn write_photos(folder: &Path) -> Result<u64> {
    let write = |index: u64| {
        let bytes = compress(
            &photo(index),
            WIDTH,
            HEIGHT,
            PixelFormat::Rgb,
            90,
            Subsampling::S420,
        )?;
        std::fs::write(folder.join(format!("{index:04}.jpg")), &bytes)?;
        Ok(bytes.len() as u64)
    };
    (0..IMAGES as u64).into_par_iter().map(write).sum()
}

/// Images a second of one pass over the folder, opened anew.
fn one_pass(folder: &str, preprocessings: &[Preprocessing]) -> Result<f64> {
    let start = Instant::now();
    let gallery = Arc::new(Gallery::open(&[folder])?);
    let order = Order {
        images: 0..gallery.len(),
        batch: 32,
        make: Make::Inputs(preprocessings.to_vec()),
        mixed_sizes: true,
        threads: THREADS,
    };
    let mut seen = 0;
    for inputs in Loader::start(gallery, order)? {
        seen += inputs?.facts.len();
    }
    assert_eq!(seen, IMAGES);
    Ok(seen as f64 / start.elapsed().as_secs_f64())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What one image costs a thread, step by step.
fn steps(folder: &str) -> Result<()> {
    let gallery = Gallery::open(&[folder])?;
    let timed = |name: &str, run: &mut dyn FnMut() -> Result<()>| {
        let mut times = Vec::new();
        for _ in 0..30 {
            let start = Instant::now();
            run()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("{name:<24} {:>8.2} ms an image", median(&mut times));
        anyhow::Ok(())
    };
    timed("read and decode", &mut || gallery.read(7).map(drop))?;
    let image = gallery.read(7)?;
    let mut out = vec![0f32; INPUT];
    for how in Preprocessing::ALL {
        timed(how.name(), &mut || input::fill(&image, how, &mut out))?;
    }
    Ok(())
}

fn main() -> Result<()> {
    keep_pages();
    let folder = tempfile::tempdir()?;
    let bytes = write_photos(folder.path())?;
    let folder = folder.path().to_str().context("a folder's name")?;
    println!(
        "{IMAGES} JPEGs of {WIDTH} by {HEIGHT}, {} KiB each",
        bytes / 1024 / IMAGES as u64
    );
    steps(folder)?;
    let arguments = [folder.to_string(), THREADS.to_string()];
    let mut peer = Peer::run("clean_loader.py", &arguments, "clean-fid");
    match &peer {
        Ok(peer) => println!("{THREADS} threads, beside {}", peer.name),
        Err(why) => println!("{THREADS} threads, ours alone: {why}"),
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(one_pass(folder, &[Preprocessing::Clean])?);
        if let Ok(peer) = &mut peer {
            theirs.extend(peer.measure(&serde_json::json!({})));
        }
    }
    let ours = median(&mut ours);
    print!("clean: {ours:.0} images/s");
    if !theirs.is_empty() {
        let theirs = median(&mut theirs);
        print!(", clean-fid {theirs:.0}, ratio {:.2}", ours / theirs);
    }
    println!();
    for how in Preprocessing::ALL {
        println!("{}: {:.0} images/s", how.name(), one_pass(folder, &[how])?);
    }
    let all = one_pass(folder, &Preprocessing::ALL)?;
    println!("all four at once: {all:.0} images/s");
    Ok(())
}
