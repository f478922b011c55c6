//! The framing of TFRecord files, in which TensorBoard's events are stored: length, checksum, data, checksum (TensorFlow's
//! `core/lib/io/record_writer.cc`).

/// What is added to a rotated checksum, so that the checksum of data that holds checksums stays a good one.
const MASK: u32 = 0xa282_ead8;

/// One record: the length of `data` as u64, its checksum, `data`, its checksum; all numbers little-endian.
pub fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

/// CRC-32C, rotated to the right by 15 bits and masked.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_frames_its_data_with_both_checksums() {
        // CRC-32C of "123456789" is 0xe3069283 (RFC 3720's polynomial), of 32 zeros 0x8a9136aa.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let framed = record(b"123456789");
        assert_eq!(framed.len(), 8 + 4 + 9 + 4);
        assert_eq!(framed[..8], [9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(framed[12..21], *b"123456789");
        // 0xe3069283 turned by 15 bits is 0x2507c60d; with the mask 0xc78ab0e5.
        assert_eq!(framed[21..], 0xc78a_b0e5u32.to_le_bytes());
    }
}
