//! Event files taken apart by hand: records with their checksums, and the fields of protobuf messages.

/// The data of every record, each checksum compared.
pub fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at(8);
        let size = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let (check, rest) = rest.split_at(4);
        assert_eq!(check, masked(length).to_le_bytes(), "of a length");
        let (data, rest) = rest.split_at(size);
        let (check, rest) = rest.split_at(4);
        assert_eq!(check, masked(data).to_le_bytes(), "of data");
        found.push(data);
        bytes = rest;
    }
    found
}

/// CRC-32C bit by bit, turned and masked as TensorFlow does.
fn masked(data: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A field's content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    Varint(u64),
    Double(f64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of one message, in its order.
#[derive(Clone, Debug)]
pub struct Message<'a>(Vec<(u64, Field<'a>)>);

impl<'a> Message<'a> {
    pub fn of(mut bytes: &'a [u8]) -> Message<'a> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let field = match key & 7 {
                0 => Field::Varint(varint(&mut bytes)),
                1 => Field::Double(f64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
                2 => {
                    let size = varint(&mut bytes) as usize;
                    Field::Bytes(take(&mut bytes, size))
                }
                5 => Field::Float(f32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, field));
        }
        Message(fields)
    }

    /// Every field of this number.
    pub fn all(&self, number: u64) -> Vec<Field<'a>> {
        let own = self.0.iter().filter(|(known, _)| *known == number);
        own.map(|(_, field)| *field).collect()
    }

    pub fn get(&self, number: u64) -> Option<Field<'a>> {
        self.all(number).first().copied()
    }

    pub fn bytes(&self, number: u64) -> Option<&'a [u8]> {
        match self.get(number)? {
            Field::Bytes(bytes) => Some(bytes),
            other => panic!("field {number} is {other:?}"),
        }
    }

    pub fn text(&self, number: u64) -> &'a str {
        std::str::from_utf8(self.bytes(number).unwrap_or_default()).unwrap()
    }

    pub fn message(&self, number: u64) -> Option<Message<'a>> {
        self.bytes(number).map(Message::of)
    }

    /// 0 where it is left out, as protobuf has it.
    pub fn varint(&self, number: u64) -> u64 {
        match self.get(number) {
            None => 0,
            Some(Field::Varint(value)) => value,
            Some(other) => panic!("field {number} is {other:?}"),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}

fn take<'a>(bytes: &mut &'a [u8], size: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(size);
    *bytes = rest;
    taken
}
