//! FID's Inception-v3 out of any of its published files, told apart by content.

use crate::io::checkpoint::Checkpoint;
use crate::nets::inception::names::{Names, Scheme};
use crate::nets::inception::net::Inception;
use anyhow::{Context, Result};
use candle_core::Device;
use std::path::Path;

/// Whether the file holds Inception's weights under any of their names; it is opened for that, its tensors are not read.
pub fn recognise(path: &Path, key: Option<&str>) -> Result<bool> {
    let file = Checkpoint::open_key(path, key)?;
    Ok(names(&file).is_ok())
}

/// The scheme of the file's names; constants of types that are not read count, and are refused by type when they are asked for.
fn names(file: &Checkpoint) -> Result<Names> {
    let unread = file.unread().iter().map(|constant| constant.name.as_str());
    Ok(Names::of(file.names().chain(unread))?)
}

/// The net, and who named its tensors. Batch normalisations are folded into the convolutions.
///
/// # Errors
/// A file that is not read, names of no known scheme, and tensors that are missing or of another shape.
pub fn open(path: &Path, key: Option<&str>, device: &Device) -> Result<(Inception, Scheme)> {
    let reading = || format!("reading {}", path.display());
    let file = Checkpoint::open_key(path, key)?;
    let names = names(&file).with_context(reading)?;
    let stored = |name: &str| {
        let tensor = file.tensor(name, &Device::Cpu);
        tensor.map_err(|error| candle_core::Error::Msg(format!("{error:#}")))
    };
    let get = |name: &str| names.tensor(name, &stored);
    let net = Inception::new(&get, device).with_context(reading)?;
    Ok((net, names.scheme))
}
