//! Fixed-point functions and their tables. The tables are computed by the compiler from integers, so that no library's rounding
//! of a sine or a logarithm enters them; at run time there is integer arithmetic only.

/// `pi * 2^60`.
const PI_60: i128 = 3_622_009_729_038_561_421;

/// `cos(2 pi turn / turns) * 2^60` by its Taylor series, for angles up to half a turn.
const fn cosine_60(turn: i128, turns: i128) -> i128 {
    let x = 2 * PI_60 * turn / turns;
    let square = (x * x) >> 60;
    let (mut term, mut sum, mut k) = (1i128 << 60, 1i128 << 60, 1);
    while k < 24 {
        term = -((term * square) >> 60) / ((2 * k - 1) * (2 * k));
        sum += term;
        k += 1;
    }
    sum
}

/// `value / 2^shift`, rounded to the nearest.
const fn rounded(value: i128, shift: u32) -> i32 {
    ((value + (1 << (shift - 1))) >> shift) as i32
}

/// Points of a full turn in [`cosine`].
pub(super) const TURN: usize = 512;

/// A quarter of a cosine, `cos(2 pi k / 512) * 2^15`.
const COSINE: [u16; TURN / 4 + 1] = {
    let mut table = [0; TURN / 4 + 1];
    let mut k = 0;
    while k < table.len() {
        table[k] = rounded(cosine_60(k as i128, TURN as i128), 45) as u16;
        k += 1;
    }
    table
};

/// `cos(2 pi k / 512) * 2^15`, rounded to the nearest.
pub(super) fn cosine(k: usize) -> i32 {
    const QUARTER: usize = TURN / 4;
    let at = |k: usize| COSINE.get(k).map_or(0, |&value| i32::from(value));
    let k = k % TURN;
    match k / QUARTER {
        0 => at(k),
        1 => -at(2 * QUARTER - k),
        2 => -at(k - 2 * QUARTER),
        _ => at(4 * QUARTER - k),
    }
}

/// `sin(2 pi k / 512) * 2^15`, rounded to the nearest.
pub(super) fn sine(k: usize) -> i32 {
    cosine(k + TURN / 4 * 3)
}

/// Zero crossings of [`SINC`] on either side.
pub(super) const CROSSINGS: u32 = 8;
/// Points of [`SINC`] from one zero crossing to the next.
pub(super) const SINC_POINTS: u32 = 32;
const SINC_LEN: usize = (CROSSINGS * SINC_POINTS) as usize;

/// Half of the low-pass filter that resamples: `sin(pi t) / (pi t) * cos^2(pi t / 16) * 2^15` at `t = i / 32`, less 2^14, which
/// leaves halfwords, and a zero.
const SINC: [i16; SINC_LEN + 2] = {
    let mut table = [-SINC_LOWERED as i16; SINC_LEN + 2];
    table[0] = ((1 << 15) - SINC_LOWERED) as i16;
    let mut i = 1;
    while i < SINC_LEN {
        // sin(pi i / 32) = cos(pi i / 32 - pi / 2), the angle brought to within half a turn.
        let mut turn = (i as i128 - 16) % 64;
        if turn > 32 {
            turn -= 64;
        }
        let sine = cosine_60(turn, 64);
        let window = (cosine_60(i as i128, 2 * SINC_LEN as i128) + (1 << 60)) / 2;
        let sinc = sine * 32 / i as i128 * (1 << 40) / (PI_60 >> 20);
        table[i] = (rounded((sinc >> 20) * (window >> 20), 65) - SINC_LOWERED) as i16;
        i += 1;
    }
    table
};

/// What the points of [`SINC`] lack.
const SINC_LOWERED: i32 = 1 << 14;

/// Point `i` of the low-pass filter; none beyond the zero at its end.
pub(super) fn sinc(i: usize) -> Option<i32> {
    SINC.get(i).map(|&value| i32::from(value) + SINC_LOWERED)
}

/// `log2(value) * 2^30` for `value >= 1`, cut off: bit by bit, squaring the mantissa.
pub(super) const fn log2_30(value: u32) -> u64 {
    let whole = value.ilog2();
    let mut mantissa = (value as u64) << (31 - whole);
    let mut log = whole as u64;
    let mut bit = 0;
    while bit < 30 {
        mantissa = (mantissa * mantissa) >> 31;
        log <<= 1;
        if mantissa >> 32 != 0 {
            mantissa >>= 1;
            log |= 1;
        }
        bit += 1;
    }
    log
}

/// `log2(1 + i / 64) * 2^16`, below 1; the last one is 1.
const LOG2: [u16; 64] = {
    let mut table = [0; 64];
    let mut i = 0;
    while i < table.len() {
        table[i] = ((log2_30(64 + i as u32) - (6 << 30) + (1 << 13)) >> 14) as u16;
        i += 1;
    }
    table
};

/// `log2(value) * 2^16` for `value >= 1` (0 for 0), within 4 of it: a table of 64 steps an octave, straight lines between.
pub(super) fn log2_16(value: u64) -> u32 {
    let Some(whole) = value.checked_ilog2() else {
        return 0;
    };
    // The mantissa from its leading one: 6 bits choose the step, 16 more the place in it.
    let mantissa = (value << (63 - whole)) >> 41;
    let (step, place) = ((mantissa >> 16) as usize & 63, (mantissa & 0xffff) as u32);
    let at = |i: usize| LOG2.get(i).map_or(65536, |&value| u32::from(value));
    whole * 65536 + at(step) + (((at(step + 1) - at(step)) * place + 0x8000) >> 16)
}

/// `2^(2^-k) * 2^31` for k from 1 to 24, cut off: square roots of square roots.
const ROOTS: [u32; 24] = {
    let mut table = [0; 24];
    let mut root = 1u128 << 61;
    let mut k = 0;
    while k < table.len() {
        root = (root << 60).isqrt();
        table[k] = (root >> 29) as u32;
        k += 1;
    }
    table
};

/// `2^(log / 2^30) * 2^16`, rounded to the nearest of what 24 bits of the logarithm's fraction give; `log < 32 * 2^30`.
pub(super) fn exp2_16(log: u64) -> u64 {
    let mut mantissa = 1u64 << 31;
    for (k, &root) in ROOTS.iter().enumerate() {
        if log >> (29 - k) & 1 == 1 {
            // Both have 31 bits behind the point.
            mantissa = (mantissa * u64::from(root) + (1 << 30)) >> 31;
        }
    }
    let whole = (log >> 30).min(31);
    ((mantissa << whole) + (1 << 14)) >> 15
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    #[test]
    fn tables_are_the_rounded_functions() {
        for k in 0..2 * TURN {
            let angle = 2.0 * PI * k as f64 / TURN as f64;
            assert_eq!(cosine(k), (angle.cos() * 32768.0).round() as i32, "cos {k}");
            assert_eq!(sine(k), (angle.sin() * 32768.0).round() as i32, "sin {k}");
        }
        for i in 1..SINC_LEN {
            let value = sinc(i).unwrap();
            let t = i as f64 / 32.0;
            let exact = (PI * t).sin() / (PI * t) * (PI * t / 16.0).cos().powi(2) * 32768.0;
            assert!((f64::from(value) - exact).abs() < 0.51, "sinc {i}: {value}, not {exact}");
        }
        assert_eq!([0, SINC_LEN, SINC_LEN + 1, SINC_LEN + 2].map(sinc), [Some(1 << 15), Some(0), Some(0), None]);
    }

    proptest! {
        #[test]
        fn logarithms_are_near(value in 1u64.., shift in 0u32..64) {
            let value = (value >> shift).max(1);
            let exact = (value as f64).log2() * 65536.0;
            prop_assert!((f64::from(log2_16(value)) - exact).abs() < 4.0, "{} {}", log2_16(value), exact);
        }

        #[test]
        fn powers_undo_logarithms(value in 1u32..1 << 20) {
            let back = exp2_16(log2_30(value)) as f64 / 65536.0;
            prop_assert!((back / f64::from(value) - 1.0).abs() < 1e-6, "{} {}", value, back);
        }
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!(log2_16(0), 0);
        assert_eq!(log2_16(1), 0);
        assert_eq!(log2_16(1 << 40), 40 << 16);
        assert_eq!(log2_16(u64::MAX), 64 << 16);
        assert_eq!(log2_30(1 << 13), 13 << 30);
        assert_eq!(exp2_16(9 << 30), 512 << 16);
    }
}
