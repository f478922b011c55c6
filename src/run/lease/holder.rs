//! What stands in a lease: the process that holds it.

use crate::io::disk::{read_bounded, writer};
use crate::process::table;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// The folder of the store that holds `ID.json` of each worker.
pub const WORKERS: &str = "workers";

/// The lease of a result as a whole.
pub const WHOLE: &str = "whole.lease";

const LIMIT: u64 = 1 << 16;

/// A process that holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name of the process's file in the store's `workers`.
    pub worker: String,
    pub host: String,
    pub pid: u32,
    /// When the process was started, in the kernel's ticks: a reused pid is not the same process.
    pub born: Option<u64>,
    /// The start of the machine and the container within which `pid` means something.
    pub namespace: Option<String>,
    pub device: String,
    /// RFC 3339, UTC, by the holder's own clock; for people to read.
    pub since: String,
    /// Tells this taking of the lease from any other of the same process.
    pub nonce: u64,
}

impl Holder {
    /// This process, taking a lease now.
    pub fn own(device: &str, nonce: u64) -> Holder {
        let pid = std::process::id();
        Holder {
            worker: writer().to_string(),
            host: table::host(),
            pid,
            born: table::born(pid),
            namespace: table::namespace(),
            device: device.to_string(),
            since: jiff::Timestamp::now().to_string(),
            nonce,
        }
    }
}

/// What a lease file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// There is none.
    Free,
    Held(Box<Holder>),
    /// It is there and says nothing: its holder is just writing it, or was killed before it could.
    Unreadable,
}

/// Reads the lease at `path`.
pub fn read(path: &Path) -> Read {
    let text = match read_bounded(path, LIMIT) {
        Ok(text) => text,
        Err(error) => {
            let gone = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == ErrorKind::NotFound);
            return if gone { Read::Free } else { Read::Unreadable };
        }
    };
    match serde_json::from_slice(&text) {
        Ok(holder) => Read::Held(Box::new(holder)),
        Err(_) => Read::Unreadable,
    }
}
