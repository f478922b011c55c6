//! `runner pack`: folders, archives and batches of images to one npz or one tar, a part at a time.

use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{bytes, out, say, short, thousands, warning};
use crate::cli::verbs::pack::args::PackArgs;
use crate::cli::verbs::pack::labels::{Labels, of_file, of_sources};
use crate::cli::verbs::pack::parts::Set;
use crate::cli::verbs::pack::tar;
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::data::gallery::Gallery;
use crate::io::numpy::image_batch;
use crate::jobs::context::Progress;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What a packed set is written as.
#[derive(Clone, Copy)]
enum Kind {
    Npz,
    Tar,
}

pub fn run(args: &PackArgs) -> Result<u8> {
    let kind = kind(&args.out)?;
    for source in &args.sources {
        refuse_as_out(source, &args.out)?;
    }
    let gallery = Gallery::open(&args.sources)?;
    if let Some(line) = gallery.left_out().told(&args.sources.join(" ")) {
        warning(&line);
    }
    let order = chosen(&gallery, args)?;
    let labels = match &args.labels {
        _ if args.no_labels => Labels::left_out(),
        Some(file) => of_file(file, &gallery, &order)?,
        None => of_sources(&gallery, order.len())?,
    };
    labels.notes.iter().for_each(|line| say(line));
    let stop = until_stopped("part")?;
    let written = write(kind, &gallery, &order, &labels, (&args.out, stop));
    let Some((size, cut)) = unless_stopped(written, "nothing is written")? else {
        return Ok(INTERRUPTED);
    };
    if let Some(line) = cut {
        warning(&line);
    }
    tell_result(order.len(), size, &labels, &args.out)?;
    Ok(0)
}

/// Width and height of the images written, and the warning of values that were cut off.
type Written = ((usize, usize), Option<String>);

fn write(
    kind: Kind,
    gallery: &Gallery,
    order: &[usize],
    labels: &Labels,
    (path, stop): (&Path, &AtomicBool),
) -> Result<Written> {
    let (live, started) = (Live::start(), Instant::now());
    let tell = |progress: Progress| {
        let pace = progress.done as f64 / started.elapsed().as_secs_f64();
        live.set(format!(
            "{} / {} images   {} images/s",
            thousands(progress.done),
            thousands(progress.total),
            short(pace)
        ));
    };
    let set = Set::open(gallery, order, (&tell, stop))?;
    match kind {
        Kind::Npz => npz(&set, labels, path)?,
        Kind::Tar => tar::write(&set, labels.numbers.as_deref(), path)?,
    }
    Ok((set.size, set.cut()))
}

fn npz(set: &Set, labels: &Labels, path: &Path) -> Result<()> {
    let (w, h) = set.size;
    let shape = [set.len(), h, w, 3];
    let numbers = labels.numbers.as_ref();
    let numbers = numbers.map(|numbers| numbers.iter().map(|&label| i64::from(label)).collect());
    image_batch::write(path, shape, numbers, |out| {
        set.each_part(|part| {
            for image in part {
                out.write_all(&image.data)?;
            }
            Ok(())
        })
    })
}

fn kind(path: &Path) -> Result<Kind> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("npz") => Ok(Kind::Npz),
        Some("tar") => Ok(Kind::Tar),
        _ => bail!(
            "--out {}: the ending says what is written, and .npz and .tar are\nhint: such as `--out samples.npz`",
            path.display()
        ),
    }
}

/// That what is written does not take the place of what is read.
fn refuse_as_out(source: &str, path: &Path) -> Result<()> {
    let same = match (Path::new(source).canonicalize(), path.canonicalize()) {
        (Ok(source), Ok(path)) => source == path,
        _ => false,
    };
    ensure!(
        !same,
        "--out {} is one of the sources\nhint: write to another file, and move it when it is there",
        path.display()
    );
    Ok(())
}

/// The images to pack, in their order.
fn chosen(gallery: &Gallery, args: &PackArgs) -> Result<Vec<usize>> {
    let mut order = gallery.order_within_collections();
    let Some(count) = args.count else {
        return Ok(order);
    };
    let all = order.len() as u64;
    ensure!(
        count <= all,
        "--count {count}: there are {all} images in {}\nhint: take {all} or fewer, or name more sources",
        args.sources.join(" ")
    );
    if count < all {
        say(&format!(
            "taken are the first {} of {} images",
            thousands(count),
            thousands(all)
        ));
    }
    order.truncate(count as usize);
    Ok(order)
}

fn tell_result(n: usize, (w, h): (usize, usize), labels: &Labels, path: &Path) -> Result<()> {
    let size = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    out(&format!(
        "{}: {} images of {w} by {h} pixels, {}, {}",
        path.display(),
        thousands(n as u64),
        labels.spread(),
        bytes(size.len())
    ))
}
