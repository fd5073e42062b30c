//! QEMU's `mps2-an505`: a Cortex-M33 with the DSP extension whose console is semihosting, without a link.

pub use cortex_m::singleton;
pub use cortex_m_rt::entry;
pub use cortex_m_semihosting::hprintln as println;

/// The emulator needs no clocks.
pub fn prepare() {}
