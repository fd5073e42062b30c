//! CRC-32 as Ethernet and zlib have it, by halves of bytes: a table of 64 bytes instead of 1 KiB.

/// The remainder of every half byte.
const HALVES: [u32; 16] = {
    let mut table = [0; 16];
    let mut half = 0;
    while half < table.len() {
        let mut rest = half as u32;
        let mut bit = 0;
        while bit < 4 {
            rest = if rest & 1 == 1 { rest >> 1 ^ 0xedb8_8320 } else { rest >> 1 };
            bit += 1;
        }
        table[half] = rest;
        half += 1;
    }
    table
};

/// The checksum of `bytes`.
#[inline(never)]
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |rest: u32| rest >> 4 ^ HALVES[rest as usize % 16];
    !bytes.iter().fold(u32::MAX, |rest, &byte| step(step(rest ^ u32::from(byte))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_crate(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(crc32(&bytes), crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes));
        }
    }
}
