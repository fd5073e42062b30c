//! The kernels of cores with the DSP extension of Armv7E-M (Cortex-M4, M7; M33 where it has it), in assembly.
//!
//! The compiler never emits SMLAD, and keeps two registers for itself inside of `asm!`; so each kernel is a whole function in
//! one of the `.s` files in this module's folder. The `.rs` file beside it checks the arguments of a call once, so that every
//! address that the assembly forms lies in its slices; a layer of a checked bundle passes. Whole kernels stay out of line, so
//! that what they take is seen.
#![allow(unsafe_code)] // the calls of assembly; the checks before each call make them sound

mod dense;
mod distance;
mod planar;
mod widen;
mod winograd;

use core::arch::global_asm;
use core::ptr;

pub use dense::dense_row;
pub use distance::{Probe, Room};
pub use planar::{depthwise, planar_rows, pool};
pub use widen::{interleave, widen_rows};
pub use winograd::winograd;

use super::Table;
pub use super::portable::{dot, squared_distance};

global_asm!(
    // The assembler knows the extension by the architecture of a Cortex-M4, but not by that of a Cortex-M33.
    #[cfg(armv8m)]
    ".cpu cortex-m33",
    include_str!("armv7em/common.s"),
    include_str!("armv7em/pointwise.s"),
    include_str!("armv7em/dense.s"),
    include_str!("armv7em/planar.s"),
    include_str!("armv7em/pool.s"),
    include_str!("armv7em/widen.s"),
    include_str!("armv7em/winograd.s"),
    include_str!("armv7em/distance.s"),
    options(raw)
);

/// A place in the assembly.
type Label = unsafe extern "C" fn();

fn is_aligned(halfwords: &[i16]) -> bool {
    halfwords.as_ptr().addr().is_multiple_of(4)
}

fn table_ptr(table: Table<'_>) -> *const u8 {
    table.map_or(ptr::null(), |table| table.as_ptr())
}
