//! The requantisation rule: the one way in which an accumulator becomes an activation, on every engine.
//!
//! In ONNX's `QLinearConv` terms, with `x_scale = y_scale = 1` and `w_scale[c] = M[c]`,
//! `y = clamp(round_ties_even(f32(acc) * M[c]) + zp_y, -128, 127)`. Every `M` is a whole number of 2^-16, so the float rule
//! and the integer rule below agree bit for bit (see [`requantize`]).
//!
//! Activations are kept as `u8 = s8 + 128` here: the same numbers, in the form in which padding and ReLU cost nothing.

use bytemuck::{Pod, Zeroable};

/// Bits behind the binary point of a multiplier.
pub const MULTIPLIER_BITS: u32 = 16;

/// The largest `|accumulator * multiplier|` that a channel may reach: room for the rounding and the zero point is left
/// below 2^31. The bundle's check proves it for every channel, so [`requantize`] never wraps.
pub const MAX_PRODUCT: i64 = (1 << 31) - (1 << 25);

/// What one output channel adds and multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Channel {
    /// Bias in accumulator units, with the input's zero point folded in: `bias - zp_x * sum(w)`.
    pub bias: i32,
    /// `M * 2^16`, not negative.
    pub multiplier: i32,
}

/// A channel as it is stored and run: `y = requantize(sum + bias, multiplier, zero_point)`, with everything that is known
/// at export added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Requantizer {
    /// `M * 2^16`, not negative.
    pub multiplier: i32,
    /// `bias * multiplier + 0x7fff + zero_point * 2^16`.
    pub offset: i32,
}

impl Requantizer {
    /// The stored form of `channel`, exact for an even zero point and within the bounds of [`requantize`].
    pub fn new(channel: Channel, zero_point: u8) -> Self {
        let Channel { bias, multiplier } = channel;
        let rest = (i32::from(zero_point) << MULTIPLIER_BITS) + 0x7fff;
        Requantizer { multiplier, offset: bias.wrapping_mul(multiplier).wrapping_add(rest) }
    }

    /// The activation of `sum`, which lacks only the bias: `p = sum * multiplier + offset`, then
    /// `clamp((p + bit 16 of p) >> 16, 0, 255)`.
    ///
    /// The added bit matters only where the low half of `p` is 0xffff, which is where `acc * multiplier` is an exact tie;
    /// there no carry reached bit 16, and an even zero point left it as it was, so it is the quotient's lowest bit.
    #[inline(always)]
    pub fn apply(&self, sum: i32) -> u8 {
        let product = sum.wrapping_mul(self.multiplier).wrapping_add(self.offset);
        let odd = (product >> MULTIPLIER_BITS) & 1;
        (product.wrapping_add(odd) >> MULTIPLIER_BITS).clamp(0, 255) as u8
    }

    /// `bias * multiplier`, for the bundle's check.
    pub(crate) fn scaled_bias(&self, zero_point: u8) -> i64 {
        i64::from(self.offset) - 0x7fff - (i64::from(zero_point) << MULTIPLIER_BITS)
    }
}

/// `clamp(round_ties_even(acc * multiplier / 2^16) + zero_point, 0, 255)`.
///
/// Exact where `|acc * multiplier| <= MAX_PRODUCT`. Adding `0x7fff` plus the quotient's lowest bit before the shift rounds to
/// nearest with ties to even. Equal to the float rule: where the result is not saturated, `|acc * multiplier| < 2^24`, so
/// the float product is exact; elsewhere both saturate.
#[inline(always)]
pub fn requantize(acc: i32, multiplier: i32, zero_point: u8) -> u8 {
    let product = acc.wrapping_mul(multiplier);
    let odd = (product >> MULTIPLIER_BITS) & 1;
    let quotient = product.wrapping_add(0x7fff).wrapping_add(odd) >> MULTIPLIER_BITS;
    quotient.wrapping_add(i32::from(zero_point)).clamp(0, 255) as u8
}

/// The signed form of an activation, as ONNX and people see it: `s8 = u8 - 128`.
#[inline(always)]
pub fn to_signed(activation: u8) -> i8 {
    (activation ^ 0x80) as i8
}

/// The unsigned form of an activation, as the kernels hold it: `u8 = s8 + 128`.
#[inline(always)]
pub fn to_unsigned(activation: i8) -> u8 {
    activation as u8 ^ 0x80
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    /// The rule as `QLinearConv` states it, in f32 and in s8.
    fn float_rule(acc: i32, multiplier: i32, zero_point: u8) -> u8 {
        let scaled = acc as f32 * (multiplier as f32 / 65536.0);
        to_unsigned((scaled.round_ties_even() as i32 + i32::from(to_signed(zero_point))).clamp(-128, 127) as i8)
    }

    /// Accumulators and multipliers of every magnitude whose product stays in bounds, half of them near the visible range.
    fn factors() -> impl Strategy<Value = (i32, i32)> {
        let product = prop_oneof![-(300i64 << 16)..(300 << 16), -MAX_PRODUCT..=MAX_PRODUCT];
        ((0u32..20).prop_flat_map(|bits| (1i32 << bits)..(2 << bits)), product)
            .prop_map(|(multiplier, product)| ((product / i64::from(multiplier)) as i32, multiplier))
            .prop_filter("exact in f32", |(acc, _)| acc.abs() < 1 << 24)
    }

    proptest! {
        #[test]
        fn integer_rule_is_the_float_rule((acc, multiplier) in factors(), zero_point: u8) {
            prop_assert_eq!(requantize(acc, multiplier, zero_point), float_rule(acc, multiplier, zero_point));
        }

        #[test]
        fn stored_form_is_the_rule((acc, multiplier) in factors(), half in 0u8..128, share in 0.0..1.0f64) {
            let bias = (f64::from(acc) * share) as i32;
            let stored = Requantizer::new(Channel { bias, multiplier }, 2 * half);
            prop_assert_eq!(stored.apply(acc - bias), requantize(acc, multiplier, 2 * half));
        }
    }

    #[test]
    fn ties_go_to_even_on_both_sides_of_zero() {
        for (acc, expected) in [(1, 128), (3, 130), (5, 130), (-1, 128), (-3, 126), (-5, 126)] {
            assert_eq!(requantize(acc, 1 << 15, 128), expected, "{acc} / 2");
            assert_eq!(float_rule(acc, 1 << 15, 128), expected, "{acc} / 2");
            let channel = Channel { bias: 7, multiplier: 1 << 15 };
            assert_eq!(Requantizer::new(channel, 128).apply(acc - 7), expected, "{acc} / 2");
        }
    }

    #[test]
    fn saturates_at_both_ends() {
        let acc = (MAX_PRODUCT >> 16) as i32;
        assert_eq!(requantize(acc, 1 << 16, 255), 255);
        assert_eq!(requantize(-acc, 1 << 16, 0), 0);
    }

    #[test]
    fn signed_and_unsigned_are_inverse() {
        assert!((0..=255u8).all(|u| to_unsigned(to_signed(u)) == u && i32::from(to_signed(u)) == i32::from(u) - 128));
    }
}
