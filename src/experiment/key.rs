//! Content addresses: a key is the digest of what a result depends on, and of nothing else.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

/// The address of a result: 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// sha256 over the stage's name, its VERSION and the canonical text of its typed inputs.
    pub fn of(stage: &str, version: u32, inputs: &impl Serialize) -> Result<Key> {
        let value = toml::Value::try_from(inputs).context("writing the inputs of a key")?;
        let mut text = format!("{stage}\n{version}\n");
        canonical(&value, &mut text);
        Ok(Key(hex(&Sha256::digest(text.as_bytes()))))
    }

    /// All 64 digits.
    pub fn full(&self) -> &str {
        &self.0
    }

    /// The 16 digits that name the store's folder.
    pub fn short(&self) -> &str {
        &self.0[..16]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// Sorted tables and whole floats as integers, so that neither order nor spelling reaches the key.
fn canonical(value: &toml::Value, out: &mut String) {
    match value {
        toml::Value::Table(table) => {
            let mut keys: Vec<&String> = table.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                let _ = write!(out, "{key:?}:");
                canonical(&table[key], out);
                out.push(',');
            }
            out.push('}');
        }
        toml::Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        toml::Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => {
            let _ = write!(out, "{}", *x as i64);
        }
        toml::Value::Float(x) => {
            let _ = write!(out, "{x:?}");
        }
        toml::Value::String(text) => {
            let _ = write!(out, "{text:?}");
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

type Stamp = (PathBuf, u64, Option<SystemTime>);

/// sha256 of a file, in hex; read once per process while its size and time of change stay.
pub fn digest_file(path: &Path) -> Result<String> {
    static SEEN: OnceLock<Mutex<HashMap<Stamp, String>>> = OnceLock::new();
    let seen = SEEN.get_or_init(Default::default);
    let reading = || format!("reading {}", path.display());
    let meta = std::fs::metadata(path).with_context(reading)?;
    let stamp = (path.to_path_buf(), meta.len(), meta.modified().ok());
    if let Some(digest) = seen.lock().ok().and_then(|seen| seen.get(&stamp).cloned()) {
        return Ok(digest);
    }
    let mut file = std::fs::File::open(path).with_context(reading)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; (meta.len() as usize + 1).min(1 << 20)];
    loop {
        let n = file.read(&mut buffer).with_context(reading)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
    }
    let digest = hex(&hash.finalize());
    if let Ok(mut seen) = seen.lock() {
        seen.insert(stamp, digest.clone());
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_order_nor_spelling_reaches_the_key() {
        let a: toml::Table = toml::from_str("x = 0\ny = [1, 2.5]").unwrap();
        let b: toml::Table = toml::from_str("# note\ny = [1.0, 2.5]\nx = 0.0").unwrap();
        let key = |t| Key::of("sample", 1, t).unwrap();
        assert_eq!(key(&a), key(&b));
        assert_ne!(Key::of("sample", 2, &a).unwrap(), key(&a));
        assert_ne!(Key::of("features", 1, &a).unwrap(), key(&a));
        assert_eq!(key(&a).short().len(), 16);
    }
}
