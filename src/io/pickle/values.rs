//! What a Python pickle holds: a tree of plain values.

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
