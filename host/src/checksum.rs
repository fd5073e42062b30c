//! Checksums of files and settings.

use crc::{CRC_32_ISO_HDLC, CRC_64_XZ, Crc};

/// The CRC-32 of `bytes`, as zlib has it.
pub fn crc32(bytes: &[u8]) -> u32 {
    Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(bytes)
}

/// The CRC-64/XZ of `parts`, one behind the other.
pub fn crc64(parts: &[&[u8]]) -> u64 {
    let crc = Crc::<u64>::new(&CRC_64_XZ);
    let mut digest = crc.digest();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}
