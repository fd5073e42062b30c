//! What a Cortex-M does when nothing else can be done: it says so to a debugger or the emulator and ends, or starts anew where
//! nobody listens. Texts are written without `core::fmt`, which would be most of a small program.
#![allow(unsafe_code)] // handlers that the vector table calls

use core::panic::PanicInfo;

use cortex_m::peripheral::{DCB, SCB};
use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hio;

/// Ends the program with the status of success or failure, which the emulator or `probe-rs run` passes on.
pub fn exit(success: bool) -> ! {
    debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Writes `text` and the last `len` digits of `number`, at most eight, to whoever listens; starts the program anew where nobody
/// does.
#[inline(never)]
fn end(text: &str, len: usize, mut number: u32, base: u32) -> ! {
    // Without a debugger semihosting is one more fault. The emulator has no register that tells of one.
    if !cfg!(any(feature = "qemu", feature = "qemu-m33")) && !DCB::is_debugger_attached() {
        SCB::sys_reset();
    }
    let mut digits = [b'0'; 8];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % base) as usize & 15];
        number /= base;
    }
    let digits = digits.get(digits.len().saturating_sub(len)..).unwrap_or_default();
    if let Ok(mut stream) = hio::hstderr() {
        for bytes in [text.as_bytes(), if base == 16 { b" 0x" } else { b" " }, digits, b"\n"] {
            let _ = stream.write_all(bytes);
        }
    }
    exit(false)
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    end("panic", 1, 0, 10)
}

// SAFETY: the frame that the trampoline passes is the one on the faulting stack; it is only read.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    end("hard fault at", 8, frame.pc(), 16)
}

// SAFETY: no state is touched.
#[exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    end("unexpected interrupt", 3, number.unsigned_abs().into(), 10)
}
