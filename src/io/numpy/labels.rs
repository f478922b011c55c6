//! The classes of images as their batches tell them: whole numbers, or one-hot rows of any type.

use crate::io::numpy::npy::{Header, Layout, number};
use crate::io::numpy::npz::Npz;
use std::io::Read;

/// More classes than any data set has; a larger label is a mistake.
const MOST_CLASSES: usize = 1 << 20;
/// Elements that are read at a time.
const BLOCK: usize = 1 << 16;

/// What an array says of the classes of n images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// There is no such array.
    Absent,
    /// A label an image, and how many classes there are where the array is as wide as they are many.
    Read {
        labels: Vec<u32>,
        classes: Option<usize>,
    },
    /// There is one, and this is why it tells no classes.
    Unread(String),
}

impl Labels {
    /// Reads array `name` of shape `[n]` or `[n, 1]`, whole numbers of any type, or `[n, classes]`, rows with one value that is
    /// not 0. Nothing about it is an error here: whoever needs labels asks what was found.
    pub fn read(npz: &mut Npz, name: &str, n: usize) -> Labels {
        if !npz.has(name) {
            return Labels::Absent;
        }
        let mut found = Err(String::new());
        let read = npz.entry(name, |header, from| {
            found = of_array(header, from, name, n);
            Ok(())
        });
        let found = match read {
            Ok(()) => found,
            // Above its cause stand the file and the header, which say nothing about classes.
            Err(why) => Err(format!("`{name}` is not read: {}", first_line(&why))),
        };
        found.unwrap_or_else(Labels::Unread)
    }
}

fn first_line(why: &anyhow::Error) -> String {
    let root = why.root_cause().to_string();
    root.lines().next().unwrap_or_default().to_string()
}

fn of_array(header: &Header, from: &mut dyn Read, name: &str, n: usize) -> Result<Labels, String> {
    let (rows, classes) = match header.shape[..] {
        [rows] | [rows, 1] => (rows, None),
        [rows, classes] => (rows, Some(classes)),
        _ => {
            return Err(format!(
                "`{name}` is {:?}, labels are [n] or one-hot [n, classes]",
                header.shape
            ));
        }
    };
    if rows != n {
        return Err(format!("`{name}` has {rows} labels for {n} pictures"));
    }
    match classes {
        None => whole_numbers(header, from, name),
        Some(classes) => one_hot(header, from, name, (n, classes)),
    }
}

fn whole_numbers(header: &Header, from: &mut dyn Read, name: &str) -> Result<Labels, String> {
    let mut labels = Vec::new();
    each(header, from, name, |_, value| {
        let label = value as usize;
        if value < 0.0 || value.fract() != 0.0 || label >= MOST_CLASSES {
            return Err(format!(
                "`{name}` holds {value}, labels are whole numbers from 0 to {}",
                MOST_CLASSES - 1
            ));
        }
        labels.push(label as u32);
        Ok(())
    })?;
    Ok(Labels::Read {
        labels,
        classes: None,
    })
}

fn one_hot(
    header: &Header,
    from: &mut dyn Read,
    name: &str,
    (n, classes): (usize, usize),
) -> Result<Labels, String> {
    let not_one = |row: usize| {
        format!("row {row} of `{name}` has not one value beside zeros, which one-hot labels have")
    };
    let mut labels = vec![None; n];
    each(header, from, name, |k, value| {
        let (row, class) = match header.layout {
            Layout::C => (k / classes, k % classes),
            Layout::Fortran => (k % n, k / n),
        };
        if value == 0.0 {
            return Ok(());
        }
        match labels[row].replace(class as u32) {
            None if value.is_finite() && class < MOST_CLASSES => Ok(()),
            _ => Err(not_one(row)),
        }
    })?;
    let empty = labels.iter().position(Option::is_none);
    let labels: Option<Vec<u32>> = labels.into_iter().collect();
    match labels {
        Some(labels) => Ok(Labels::Read {
            labels,
            classes: Some(classes),
        }),
        None => Err(not_one(empty.unwrap_or_default())),
    }
}

/// Hands every element to `take` with its place in the file's order, a block at a time.
fn each(
    header: &Header,
    from: &mut dyn Read,
    name: &str,
    mut take: impl FnMut(usize, f64) -> Result<(), String>,
) -> Result<(), String> {
    let broken = |why: &dyn std::fmt::Display| format!("`{name}` is not read: {why}");
    let mut block = vec![0; BLOCK.min(header.count) * header.size];
    let mut at = 0;
    while at < header.count {
        let part = BLOCK.min(header.count - at);
        let bytes = &mut block[..part * header.size];
        from.read_exact(bytes).map_err(|why| broken(&why))?;
        for (k, element) in bytes.chunks_exact(header.size).enumerate() {
            let value: f64 = number(header, element).map_err(|why| broken(&why))?;
            take(at + k, value)?;
        }
        at += part;
    }
    Ok(())
}
