//! The functions that compiled code calls on cores with Thumb-2; the linker takes these before the library's.
#![allow(unsafe_code)] // assembly under the names that the compiler knows

core::arch::global_asm!(include_str!("runtime.s"), options(raw));
