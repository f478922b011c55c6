//! Python pickles (protocols 2 to 5), read as data: names are looked up in a short list, and where Python would call
//! something a plain value is pushed.

use crate::io::pickle::names::allowed;
use crate::io::pickle::values::{Ended, Id, Node, Pickle};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;

/// Steps of one pickle, and so the most values, marks and memo entries it can make. The largest released checkpoints
/// take some 50,000.
const STEPS_LIMIT: usize = 1 << 22;
/// Bytes of a module or class name.
const NAME_LIMIT: usize = 1 << 10;

impl<'a> Pickle<'a> {
    /// Reads the pickle that `source` begins with. Memory is bounded by `STEPS_LIMIT`; text and bytes stay in
    /// `source`.
    pub fn read(source: &'a [u8]) -> Result<Pickle<'a>> {
        let mut machine = Machine {
            source,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copied: 0,
        };
        for _ in 0..STEPS_LIMIT {
            let at = machine.at;
            let op = machine.byte()?;
            if op == b'.' {
                return Ok(Pickle {
                    root: machine.pop()?,
                    nodes: machine.nodes,
                    length: machine.at,
                });
            }
            machine.step(op).map_err(|e| match e.is::<Ended>() {
                true => e,
                false => e.context(format!("its pickle is refused at byte {at}")),
            })?;
        }
        bail!("its pickle takes more than the {STEPS_LIMIT} steps that are read")
    }
}

struct Machine<'a> {
    source: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Elements that were copied, not taken from the stack.
    copied: usize,
}

impl<'a> Machine<'a> {
    /// One instruction; the letters are those of Python's `pickletools`.
    fn step(&mut self, op: u8) -> Result<()> {
        match op {
            0x80 => {
                let version = self.byte()?;
                ensure!(version <= 5, "it has protocol {version}, 2 to 5 are read");
            }
            0x95 => {
                self.bytes(8)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_marked()?;
            }
            b'2' => self.stack.push(self.top()?),
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            0x94 => {
                self.memo.insert(self.memo.len() as u32, self.top()?);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'K' | b'M' | b'J' | b'G' | 0x8a | 0x8b => self.number(op)?,
            b'X' | 0x8c | 0x8d | b'U' | b'T' | b'C' | b'B' | 0x8e | 0x96 => self.string(op)?,
            b')' | 0x85 | 0x86 | 0x87 | b't' | b']' | b'l' | b'}' | b'd' => self.container(op)?,
            b'a' | b'e' | b's' | b'u' => self.fill(op)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(allowed(module, name)?));
            }
            0x93 => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.push(Node::Global(allowed(module, name)?));
            }
            b'R' | 0x81 => {
                let (with, what) = (self.pop()?, self.pop()?);
                self.make(what, with)?;
            }
            0x92 => {
                let (_, with, what) = (self.pop()?, self.pop()?, self.pop()?);
                self.make(what, with)?;
            }
            b'b' => self.build()?,
            b'Q' => {
                let described = self.pop()?;
                self.push(Node::Persistent(described));
            }
            // A read-only buffer is the buffer itself.
            0x98 => {
                self.top()?;
            }
            0x97 => bail!("its arrays lie outside the file"),
            other => {
                bail!("instruction 0x{other:02x} is not read\nhint: protocols 2 to 5 are read")
            }
        }
        Ok(())
    }

    fn bytes(&mut self, n: u64) -> Result<&'a [u8]> {
        let rest = &self.source[self.at..];
        let n = usize::try_from(n).ok().filter(|&n| n <= rest.len());
        let n = n.ok_or(Ended)?;
        self.at += n;
        Ok(&rest[..n])
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    /// An unsigned number of 1, 2, 4 or 8 bytes.
    fn unsigned(&mut self, width: u64) -> Result<u64> {
        let mut word = [0u8; 8];
        word[..width as usize].copy_from_slice(self.bytes(width)?);
        Ok(u64::from_le_bytes(word))
    }

    /// Up to a line's end, which is left out.
    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.source[self.at..];
        let near = &rest[..rest.len().min(NAME_LIMIT)];
        let Some(length) = near.iter().position(|&b| b == b'\n') else {
            ensure!(rest.len() >= NAME_LIMIT, Ended);
            bail!("a name is longer than {NAME_LIMIT} bytes");
        };
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).context("a name is not text")
    }

    fn push(&mut self, node: Node<'a>) {
        // Steps are fewer than 2^32, and so are nodes.
        self.stack.push(Id(self.nodes.len() as u32));
        self.nodes.push(node);
    }

    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).unwrap_or_default();
        above.last().copied().context("a value is missing")
    }

    fn pop(&mut self) -> Result<Id> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_text(&mut self) -> Result<&'a str> {
        let id = self.pop()?;
        match self.nodes[id.0 as usize] {
            Node::Text(text) if text.len() <= NAME_LIMIT => Ok(text),
            _ => bail!("a name is not a short text"),
        }
    }

    /// The values above the last mark, which is taken away.
    fn pop_marked(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().context("a mark is missing")?;
        ensure!(mark <= self.stack.len(), "a mark lies above the stack");
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, width: u64) -> Result<()> {
        let place = self.unsigned(width)? as u32;
        self.memo.insert(place, self.top()?);
        Ok(())
    }

    fn recall(&mut self, width: u64) -> Result<()> {
        let place = self.unsigned(width)? as u32;
        let id = self.memo.get(&place);
        let id = *id.with_context(|| format!("it remembers nothing as {place}"))?;
        self.stack.push(id);
        Ok(())
    }

    fn number(&mut self, op: u8) -> Result<()> {
        let node = match op {
            b'K' => Node::Int(self.unsigned(1)? as i64),
            b'M' => Node::Int(self.unsigned(2)? as i64),
            b'J' => Node::Int(self.unsigned(4)? as u32 as i32 as i64),
            b'G' => {
                self.bytes(8)?;
                Node::Float
            }
            _ => {
                let length = self.unsigned(if op == 0x8a { 1 } else { 4 })?;
                let bytes = self.bytes(length)?;
                match bytes.len() {
                    0 => Node::Int(0),
                    1..=8 => {
                        let negative = bytes[bytes.len() - 1] >= 0x80;
                        let mut word = [if negative { 0xff } else { 0 }; 8];
                        word[..bytes.len()].copy_from_slice(bytes);
                        Node::Int(i64::from_le_bytes(word))
                    }
                    _ => Node::Wide,
                }
            }
        };
        self.push(node);
        Ok(())
    }

    fn string(&mut self, op: u8) -> Result<()> {
        let width = match op {
            0x8c | b'U' | b'C' => 1,
            b'X' | b'T' | b'B' => 4,
            _ => 8,
        };
        let length = self.unsigned(width)?;
        let bytes = self.bytes(length)?;
        // Python 2 had one type for both.
        let node = match (op, std::str::from_utf8(bytes)) {
            (b'C' | b'B' | 0x8e | 0x96, _) | (b'U' | b'T', Err(_)) => Node::Bytes(bytes),
            (_, text) => Node::Text(text.context("a text is not UTF-8")?),
        };
        self.push(node);
        Ok(())
    }

    fn container(&mut self, op: u8) -> Result<()> {
        let node = match op {
            b')' => Node::Tuple(Vec::new()),
            0x85..=0x87 => {
                let mut items = vec![Id(0); (op - 0x84) as usize];
                for item in items.iter_mut().rev() {
                    *item = self.pop()?;
                }
                Node::Tuple(items)
            }
            b't' => Node::Tuple(self.pop_marked()?),
            b']' => Node::List(Vec::new()),
            b'l' => Node::List(self.pop_marked()?),
            b'}' => Node::Dict(Vec::new()),
            _ => Node::Dict(pairs(self.pop_marked()?)?),
        };
        self.push(node);
        Ok(())
    }

    /// Adds what lies on the stack to the list or dictionary beneath.
    fn fill(&mut self, op: u8) -> Result<()> {
        let items = match op {
            b'a' => vec![self.pop()?],
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => self.pop_marked()?,
        };
        let into = self.top()?;
        match (&mut self.nodes[into.0 as usize], op) {
            (Node::List(list), b'a' | b'e') => list.extend(items),
            (Node::Dict(dict), b's' | b'u') => dict.extend(pairs(items)?),
            _ => bail!("values are put into what holds none"),
        }
        Ok(())
    }

    /// What a call would have made: dictionaries at once, all else as a record of the call.
    fn make(&mut self, what: Id, with: Id) -> Result<()> {
        let Node::Global(what) = self.nodes[what.0 as usize] else {
            bail!("something that is no name is called");
        };
        let Node::Tuple(arguments) = &self.nodes[with.0 as usize] else {
            bail!("`{what}` is called with no tuple");
        };
        let state = None;
        let node = match what {
            "collections.OrderedDict" => Node::Dict(match arguments.first() {
                Some(&items) => self.listed(items)?,
                None => Vec::new(),
            }),
            "collections.defaultdict" => Node::Dict(Vec::new()),
            _ => Node::Made { what, with, state },
        };
        self.push(node);
        Ok(())
    }

    /// The pairs of a list of pairs, as Python 2 gave them to dictionaries.
    fn listed(&mut self, items: Id) -> Result<Vec<(Id, Id)>> {
        let no_pairs = "a dictionary is made of what are no pairs";
        let (Node::List(items) | Node::Tuple(items)) = &self.nodes[items.0 as usize] else {
            bail!(no_pairs);
        };
        self.copied += items.len();
        ensure!(self.copied <= STEPS_LIMIT, "its dictionaries are too large");
        let pair = |id: &Id| match &self.nodes[id.0 as usize] {
            Node::List(pair) | Node::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => bail!(no_pairs),
        };
        items.iter().map(pair).collect()
    }

    /// Gives what was made its state; a dictionary's attributes (torch's `_metadata`) are passed over.
    fn build(&mut self) -> Result<()> {
        let given = self.pop()?;
        let top = self.top()?;
        match &mut self.nodes[top.0 as usize] {
            Node::Made { state, .. } => *state = Some(given),
            Node::Dict(_) => {}
            _ => bail!("a state is given to what has none"),
        }
        Ok(())
    }
}

fn pairs(items: Vec<Id>) -> Result<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    ensure!(rest.is_empty(), "a key has no value");
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
