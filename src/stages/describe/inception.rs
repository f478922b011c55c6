//! FID's Inception-v3 out of any of its published files, told apart by content.

use crate::io::checkpoint::Checkpoint;
use crate::nets::inception::names::{Names, Scheme};
use crate::nets::inception::net::Inception;
use anyhow::{Context, Result};
use candle_core::Device;
use std::path::Path;

/// A file that holds Inception's weights, none of which is read.
pub(crate) struct Look {
    file: Checkpoint,
    names: Names,
    /// What all names begin with beside the net's own, as wrappers leave it.
    pub prefix: String,
}

/// Opens the file and tells the scheme of its names, as they are or behind a prefix that all share.
///
/// # Errors
/// A file that is not read, and names of no known scheme.
pub(crate) fn look(path: &Path, key: Option<&str>) -> Result<Look> {
    let file = Checkpoint::open_key(path, key)?;
    let unknown = match names(&file) {
        Ok(names) => {
            return Ok(Look {
                file,
                names,
                prefix: String::new(),
            });
        }
        Err(unknown) => unknown,
    };
    for prefix in file.prefixes() {
        let behind = file.behind(prefix);
        if let Ok(names) = names(&behind) {
            return Ok(Look {
                file: behind,
                names,
                prefix: prefix.to_string(),
            });
        }
    }
    Err(unknown).with_context(|| format!("reading {}", path.display()))
}

/// The scheme of the file's names; constants of types that are not read count, and are refused by type when they are asked for.
fn names(file: &Checkpoint) -> Result<Names> {
    let unread = file.unread().iter().map(|constant| constant.name.as_str());
    Ok(Names::of(file.names().chain(unread))?)
}

impl Look {
    /// The net; batch normalisations are folded into the convolutions.
    ///
    /// # Errors
    /// Tensors that are missing or of another shape.
    pub fn net(&self, device: &Device) -> Result<Inception> {
        let stored = |name: &str| {
            let tensor = self.file.tensor(name, &Device::Cpu);
            tensor.map_err(|error| candle_core::Error::Msg(format!("{error:#}")))
        };
        let get = |name: &str| self.names.tensor(name, &stored);
        let reading = || format!("reading {}", self.file.path().display());
        Inception::new(&get, device).with_context(reading)
    }
}

/// The net, and who named its tensors.
///
/// # Errors
/// A file that is not read, names of no known scheme, and tensors that are missing or of another shape.
pub fn open(path: &Path, key: Option<&str>, device: &Device) -> Result<(Inception, Scheme)> {
    let look = look(path, key)?;
    Ok((look.net(device)?, look.names.scheme))
}
