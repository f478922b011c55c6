//! What both containers of torch hold: the object's pickle, and the storages beside it.

use crate::io::pickle::values::{Id, Node, Pickle};
use crate::io::stored::{Kind, Span};
use anyhow::{Context, Result, bail, ensure};

/// The largest pickle that is read; tensors lie outside it, but NumPy arrays lie within.
pub const PICKLE_LIMIT: u64 = 256 << 20;

/// A storage as the pickle describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage<'a> {
    pub key: &'a str,
    /// None for bytes whose type the tensor says.
    pub kind: Option<Kind>,
    /// Elements; bytes without a kind.
    pub count: u64,
}

impl Storage<'_> {
    /// Its length in bytes.
    pub fn bytes(&self) -> Result<u64> {
        let size = self.kind.map_or(1, Kind::size) as u64;
        self.count
            .checked_mul(size)
            .with_context(|| format!("storage `{}` is too large", self.key))
    }
}

/// Where a storage lies in the file.
pub type Place = Box<dyn FnMut(&Storage) -> Result<Span>>;

/// An open torch file.
pub struct Opened {
    pub container: &'static str,
    /// The object's pickle.
    pub source: Vec<u8>,
    pub place: Place,
}

/// The storage of a persistent value: `("storage", type, key, device, count)` and, in legacy files, a view of it.
pub fn storage<'a>(pickle: &Pickle<'a>, described: Id) -> Result<Storage<'a>> {
    let wrong = "a storage is described wrongly";
    let parts = pickle.sequence(described).context(wrong)?;
    ensure!(parts.len() >= 5, wrong);
    ensure!(pickle.text(parts[0]) == Some("storage"), wrong);
    let kind = match pickle.node(parts[1]) {
        Node::Global("torch.storage.UntypedStorage") => None,
        Node::Global(name) => Some(storage_kind(name).context(wrong)?),
        _ => bail!(wrong),
    };
    let key = pickle.text(parts[2]).context(wrong)?;
    let count = pickle.int(parts[4]).context(wrong)?;
    let count = u64::try_from(count).ok().context(wrong)?;
    if let Some(&view) = parts.get(5) {
        let whole = matches!(pickle.node(view), Node::None);
        ensure!(
            whole,
            "storage `{key}` is a view of another, which is not read"
        );
    }
    Ok(Storage { key, kind, count })
}

fn storage_kind(name: &str) -> Option<Kind> {
    Some(match name {
        "torch.DoubleStorage" => Kind::F64,
        "torch.FloatStorage" => Kind::F32,
        "torch.HalfStorage" => Kind::F16,
        "torch.BFloat16Storage" => Kind::BF16,
        "torch.LongStorage" => Kind::I64,
        "torch.IntStorage" => Kind::I32,
        "torch.ShortStorage" => Kind::I16,
        "torch.CharStorage" => Kind::I8,
        "torch.ByteStorage" => Kind::U8,
        "torch.BoolStorage" => Kind::Bool,
        _ => return None,
    })
}
