//! The square root in integers.

/// The square root of `square`, rounded down: bit by bit, which takes less code than the library's root by tables and divisions.
pub fn root(square: u64) -> u32 {
    let (mut rest, mut root) = (square, 0);
    for bit in (0..u64::BITS).step_by(2).rev() {
        // `root` is a multiple of twice the bit: this is the square of root and bit, less that of the root.
        let more = root | 1 << bit;
        root >>= 1;
        if rest >= more {
            rest -= more;
            root |= 1 << bit;
        }
    }
    root as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_library_s(square: u64, shift in 0u32..64) {
            for square in [square >> shift, (square >> shift).isqrt().pow(2), (square >> shift).isqrt().pow(2).wrapping_sub(1)] {
                prop_assert_eq!(u64::from(root(square)), square.isqrt());
            }
        }
    }
}
