//! The integer square root: core's where there is room for it; on a board one that takes a tenth of its code and tables.

/// `floor(sqrt(value))`.
#[cfg(not(target_os = "none"))]
pub fn isqrt(value: u64) -> u32 {
    // The root of 64 bits has 32.
    value.isqrt() as u32
}

/// `floor(sqrt(value))`.
#[cfg(target_os = "none")]
pub fn isqrt(value: u64) -> u32 {
    bit_by_bit(value)
}

/// The root, one bit after the other.
#[cfg(any(test, target_os = "none"))]
fn bit_by_bit(value: u64) -> u32 {
    let mut root = 0;
    // Half as many bits as the square has.
    for bit in (0..(u64::BITS - value.leading_zeros()).div_ceil(2)).rev() {
        let trial = root | 1 << bit;
        if u64::from(trial) * u64::from(trial) <= value {
            root = trial;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_are_equal(value: u64, shift in 0u32..64, root: u32) {
            let square = u64::from(root).pow(2);
            for value in [value >> shift, square, square.saturating_sub(1)] {
                prop_assert_eq!(bit_by_bit(value), isqrt(value), "{}", value);
            }
        }
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!([0, 1, 3, 4, u64::MAX].map(bit_by_bit), [0, 1, 1, 2, u32::MAX]);
    }
}
