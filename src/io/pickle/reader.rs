//! Python pickles (protocols 2 to 5) as a tree of plain values: names are looked up in a short list, nothing is ever called.

use crate::io::pickle::machine;
use anyhow::{Result, bail};

/// The names that may stand in a pickle: what tensors, arrays and their dictionaries are made of.
const ALLOWED: [&str; 54] = [
    "__builtin__.dict",
    "__builtin__.list",
    "__builtin__.set",
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.dict",
    "builtins.list",
    "builtins.set",
    "collections.OrderedDict",
    "collections.defaultdict",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.BFloat16Storage",
    "torch.BoolStorage",
    "torch.ByteStorage",
    "torch.CharStorage",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.IntStorage",
    "torch.LongStorage",
    "torch.ShortStorage",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch.bfloat16",
    "torch.bool",
    "torch.device",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.int8",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "torch.storage.UntypedStorage",
    "torch.torch_version.TorchVersion",
    "torch.uint16",
    "torch.uint32",
    "torch.uint8",
];
/// What classes of TorchScript become: their names are the writer's own.
pub const SCRIPTED: &str = "__torch__";

/// A value of a pickle, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(pub(crate) u32);

/// One value; what it holds are other values, which may be shared or, in a hostile file, hold each other.
#[derive(Clone, Debug)]
pub enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits.
    Wide,
    /// No float is needed for tensors or arrays.
    Float,
    Text(&'a str),
    Bytes(&'a [u8]),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// In the order of the file; a key may stand twice.
    Dict(Vec<(Id, Id)>),
    /// A name of the list, or `SCRIPTED`.
    Global(&'static str),
    /// What calling `what` with the tuple `with` would have made, and the state it would have been given.
    Made {
        what: &'static str,
        with: Id,
        state: Option<Id>,
    },
    /// Something that lies outside the pickle, described by a tuple.
    Persistent(Id),
}

/// A pickle's values.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) root: Id,
    pub(crate) length: usize,
}

/// The bytes end before the pickle does.
#[derive(Debug)]
pub struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("its pickle has no end\nhint: the file may be truncated")
    }
}

impl std::error::Error for Ended {}

impl<'a> Pickle<'a> {
    /// Reads the pickle that `source` begins with. Memory is bounded by the machine's steps; text and bytes stay in
    /// `source`.
    pub fn read(source: &'a [u8]) -> Result<Pickle<'a>> {
        machine::run(source)
    }

    pub fn root(&self) -> Id {
        self.root
    }

    /// Bytes of the source that were read.
    pub fn length(&self) -> usize {
        self.length
    }

    pub fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node<'a>> {
        self.nodes.iter()
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, id: Id) -> Option<i64> {
        match self.node(id) {
            Node::Int(v) => Some(*v),
            _ => None,
        }
    }

    /// The elements of a tuple or list, or of the tuple that a `torch.Size` was made with.
    pub fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Tuple(items) | Node::List(items) => Some(items),
            Node::Made {
                what: "torch.Size",
                with,
                ..
            } => match self.node(*with) {
                Node::Tuple(items) => match self.node(*items.first()?) {
                    Node::Tuple(items) => Some(items),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a dictionary's key; the last, where the key stands twice.
    pub fn get(&self, dict: Id, key: &str) -> Option<Id> {
        let Node::Dict(items) = self.node(dict) else {
            return None;
        };
        let found = items.iter().rev().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|&(_, value)| value)
    }
}

/// The name as the list has it; an error that names it where the list does not.
pub(crate) fn allowed(module: &str, name: &str) -> Result<&'static str> {
    if module == SCRIPTED || module.starts_with("__torch__.") {
        return Ok(SCRIPTED);
    }
    let full = format!("{module}.{name}");
    match ALLOWED.into_iter().find(|allowed| *allowed == full) {
        Some(known) => Ok(known),
        None => bail!(
            "it names `{full}`, which tensors and arrays do not need; nothing of it was run\nhint: save plain tensors, such as a state_dict"
        ),
    }
}
