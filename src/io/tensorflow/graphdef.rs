//! TensorFlow graphs (GraphDef, protocol buffers): the float constants, found without reading their values. A wire reader
//! of its own, because generated messages would copy all values and these are to stay in the file until they are asked for.

use crate::io::stored::{Kind, Stored, row_major};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// Bytes of a name.
const NAME_LIMIT: u64 = 1 << 12;
/// Elements of a constant that the file gives as one value for all.
const FILLED_LIMIT: usize = 1 << 16;
/// Constants of a graph.
const CONSTANTS_LIMIT: usize = 1 << 18;
const FLOAT: u64 = 1;
/// Unread constants that a message names.
const LISTED: usize = 8;

/// TensorFlow's name of a type by its number.
fn type_name(number: u64) -> String {
    let name = match number {
        1 => "float",
        2 => "double",
        3 => "int32",
        4 => "uint8",
        5 => "int16",
        6 => "int8",
        7 => "string",
        8 => "complex64",
        9 => "int64",
        10 => "bool",
        14 => "bfloat16",
        17 => "uint16",
        19 => "half",
        22 => "uint32",
        23 => "uint64",
        other => return format!("type {other}"),
    };
    name.to_string()
}

/// True where `head` may begin a graph: its first field is a node.
pub fn recognise(head: &[u8]) -> bool {
    head.len() >= 4 && head[0] == 0x0a
}

/// A constant whose type is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub name: String,
    /// TensorFlow's name of the type: `int32`, `string`.
    pub kind: String,
    pub shape: Vec<usize>,
}

/// What a node holds, if it is a constant.
enum Found {
    Read(Stored),
    Unread(Unread),
}

/// The float constants in the order of the file, and the constants of other types.
pub fn read(file: &File) -> Result<(Vec<Stored>, Vec<Unread>)> {
    let length = file.metadata()?.len();
    let mut wire = Wire {
        from: BufReader::with_capacity(1 << 14, file.try_clone()?),
        at: 0,
    };
    wire.from.seek(SeekFrom::Start(0))?;
    let broken = "it is no TensorFlow graph, or a broken one\nhint: the file may be truncated";
    let (mut constants, mut unread) = (Vec::new(), Vec::new());
    wire.message(length, |wire, field| {
        if let Field {
            number: 1,
            value: Value::Bytes(end),
        } = field
        {
            match node(wire, end)? {
                Some(Found::Read(constant)) => constants.push(constant),
                Some(Found::Unread(constant)) => unread.push(constant),
                None => {}
            }
            ensure!(
                constants.len() + unread.len() <= CONSTANTS_LIMIT,
                "it has more than {CONSTANTS_LIMIT} constants"
            );
        }
        Ok(())
    })
    .context(broken)?;
    ensure!(
        !constants.is_empty(),
        "it is a TensorFlow graph without float constants, or none{}",
        listed(&unread)
    );
    Ok((constants, unread))
}

/// `; it has `axis` (int32), `names` (string)`, the first few.
fn listed(unread: &[Unread]) -> String {
    let one = |constant: &Unread| format!("`{}` ({})", constant.name, constant.kind);
    let names: Vec<String> = unread.iter().take(LISTED).map(one).collect();
    match unread.len() {
        0 => String::new(),
        n if n > LISTED => format!("; it has {} and {} more", names.join(", "), n - LISTED),
        _ => format!("; it has {}", names.join(", ")),
    }
}

/// A node's constant; none where it is something else.
fn node(wire: &mut Wire, end: u64) -> Result<Option<Found>> {
    let (mut name, mut op, mut value) = (String::new(), String::new(), None);
    wire.message(end, |wire, field| {
        match field {
            Field {
                number: 1,
                value: Value::Bytes(end),
            } => name = wire.text(end)?,
            Field {
                number: 2,
                value: Value::Bytes(end),
            } => op = wire.text(end)?,
            Field {
                number: 5,
                value: Value::Bytes(end),
            } => {
                if let Some(constant) = attribute(wire, end)? {
                    value = Some(constant);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    match value {
        Some(constant) if op == "Const" && constant.kind != FLOAT => {
            Ok(Some(Found::Unread(Unread {
                name,
                kind: type_name(constant.kind),
                shape: constant.shape,
            })))
        }
        Some(constant) if op == "Const" => {
            let stored = constant.stored(&name);
            let stored = stored.with_context(|| format!("constant `{name}`"))?;
            Ok(Some(Found::Read(stored)))
        }
        _ => Ok(None),
    }
}

/// The tensor of an attribute that is called `value`.
fn attribute(wire: &mut Wire, end: u64) -> Result<Option<Constant>> {
    let (mut key, mut constant) = (String::new(), None);
    wire.message(end, |wire, field| {
        match field {
            Field {
                number: 1,
                value: Value::Bytes(end),
            } => key = wire.text(end)?,
            Field {
                number: 2,
                value: Value::Bytes(end),
            } => {
                wire.message(end, |wire, field| {
                    if let Field {
                        number: 8,
                        value: Value::Bytes(end),
                    } = field
                    {
                        constant = Some(tensor(wire, end)?);
                    }
                    Ok(())
                })?;
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(constant.filter(|_| key == "value"))
}

/// A tensor's message: its values as runs of bytes in the file.
#[derive(Default)]
struct Constant {
    kind: u64,
    shape: Vec<usize>,
    content: Option<(u64, u64)>,
    floats: Option<(u64, u64)>,
}

fn tensor(wire: &mut Wire, end: u64) -> Result<Constant> {
    let mut found = Constant::default();
    wire.message(end, |wire, field| {
        match (field.number, field.value) {
            (1, Value::Number(kind)) => found.kind = kind,
            (2, Value::Bytes(end)) => found.shape = shape(wire, end)?,
            (4, Value::Bytes(end)) => found.content = Some((wire.at, end)),
            (5, Value::Bytes(end)) => found.floats = Some((wire.at, end)),
            (5, Value::Four(at)) => {
                ensure!(found.floats.is_none(), "its values are not packed");
                found.floats = Some((at, at + 4));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

fn shape(wire: &mut Wire, end: u64) -> Result<Vec<usize>> {
    let mut shape = Vec::new();
    wire.message(end, |wire, field| {
        if let Field {
            number: 2,
            value: Value::Bytes(end),
        } = field
        {
            let mut size = 0;
            wire.message(end, |_, field| {
                if let Field {
                    number: 1,
                    value: Value::Number(n),
                } = field
                {
                    size = n;
                }
                Ok(())
            })?;
            ensure!(size <= i64::MAX as u64, "a dimension is unknown");
            shape.push(size as usize);
            ensure!(shape.len() <= 16, "it has more than 16 dimensions");
        }
        Ok(())
    })?;
    Ok(shape)
}

impl Constant {
    fn stored(self, name: &str) -> Result<Stored> {
        let content = self.content.filter(|(start, end)| start < end);
        let (start, end) = content.or(self.floats).unwrap_or((0, 0));
        let mut stored = Stored {
            name: name.to_string(),
            kind: Kind::F32,
            strides: row_major(&self.shape),
            shape: self.shape,
            offset: start,
            checksum: None,
        };
        let count = stored.count().context("its shape is too large")?;
        // Fewer values than elements: the last one stands for the rest; graphs only ever keep one.
        if end - start == 4 && content.is_none() && count > 1 {
            ensure!(
                count <= FILLED_LIMIT,
                "one value for {count} elements, at most {FILLED_LIMIT} are read"
            );
            stored.strides.fill(0);
            return Ok(stored);
        }
        ensure!(
            count as u64 == (end - start) / 4 && (end - start).is_multiple_of(4),
            "shape {:?} takes {count} values, it has {} bytes of them",
            stored.shape,
            end - start
        );
        stored.check(start, end)?;
        Ok(stored)
    }
}

struct Field {
    number: u64,
    value: Value,
}

enum Value {
    Number(u64),
    /// A field of bytes begins here and ends there.
    Bytes(u64),
    /// Four bytes that began there.
    Four(u64),
    Eight,
}

struct Wire {
    from: BufReader<File>,
    at: u64,
}

impl Wire {
    /// Hands every field up to `end` to `take`, and goes on behind it whatever of it was read.
    fn message(
        &mut self,
        end: u64,
        mut take: impl FnMut(&mut Wire, Field) -> Result<()>,
    ) -> Result<()> {
        while self.at < end {
            let key = self.varint(end)?;
            let value = match key & 7 {
                0 => Value::Number(self.varint(end)?),
                1 => Value::Eight,
                2 => {
                    let length = self.varint(end)?;
                    let last = self.at.checked_add(length).filter(|&last| last <= end);
                    Value::Bytes(last.context("a field reaches beyond its message")?)
                }
                5 => Value::Four(self.at),
                other => bail!("fields of wire type {other} are not read"),
            };
            let next = match value {
                Value::Number(_) => self.at,
                Value::Bytes(last) => last,
                Value::Four(at) => at + 4,
                Value::Eight => self.at + 8,
            };
            ensure!(next <= end, "a field reaches beyond its message");
            take(
                self,
                Field {
                    number: key >> 3,
                    value,
                },
            )?;
            self.skip_to(next)?;
        }
        Ok(())
    }

    fn varint(&mut self, end: u64) -> Result<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            ensure!(self.at < end, "a number reaches beyond its message");
            let mut byte = [0];
            self.from.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        bail!("a number is longer than 10 bytes")
    }

    fn text(&mut self, end: u64) -> Result<String> {
        let length = end - self.at;
        ensure!(
            length <= NAME_LIMIT,
            "a name of {length} bytes, at most {NAME_LIMIT} are read"
        );
        let mut bytes = vec![0; length as usize];
        self.from.read_exact(&mut bytes)?;
        self.at = end;
        String::from_utf8(bytes).context("a name is not text")
    }

    fn skip_to(&mut self, next: u64) -> Result<()> {
        let ahead = i64::try_from(next - self.at)?;
        self.from.seek_relative(ahead)?;
        self.at = next;
        Ok(())
    }
}
