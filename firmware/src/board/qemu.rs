//! QEMU's `mps2-an386`: a Cortex-M4F whose console is semihosting and whose link is a CMSDK UART.
#![allow(unsafe_code)] // registers, and handlers that the vector table calls

use core::convert::Infallible;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use embedded_io::{ErrorType, Read, Write};

pub use cortex_m::singleton;
pub use cortex_m_rt::entry;
pub use cortex_m_semihosting::hprintln as println;

/// UART0's registers: data, state, control, interrupt status and clear, baud divider; one word each.
const UART0: *mut u32 = 0x4000_4000 as *mut u32;
const DATA: usize = 0;
const STATE: usize = 1;
const CONTROL: usize = 2;
const INTERRUPT: usize = 3;
const BAUD_DIVIDER: usize = 4;

const STATE_TX_FULL: u32 = 1;
const STATE_RX_FULL: u32 = 2;
const CONTROL_TX_RX_AND_RX_INTERRUPT: u32 = 0b1011;
const INTERRUPT_RX: u32 = 2;
/// The smallest divider that the UART accepts; the emulator moves bytes at any speed.
const FASTEST: u32 = 16;

/// The receive interrupt of UART0.
#[derive(Clone, Copy)]
struct Received;

// SAFETY: 0 is the number of UART0's receive interrupt on this board, and it is within the vector table.
unsafe impl InterruptNumber for Received {
    fn number(self) -> u16 {
        0
    }
}

/// UART0. A read sleeps until there is a byte.
#[derive(Debug)]
pub struct Uart(());

impl Uart {
    /// Takes the UART; none where someone has it already.
    pub fn take() -> Option<Self> {
        // The core's peripherals can be taken once, and with them this one.
        cortex_m::Peripherals::take()?;
        // With interrupts masked, a pending one still ends `wfi`, and no handler runs.
        cortex_m::interrupt::disable();
        let uart = Uart(());
        uart.write(BAUD_DIVIDER, FASTEST);
        uart.write(CONTROL, CONTROL_TX_RX_AND_RX_INTERRUPT);
        // SAFETY: interrupts are masked and stay so, hence no critical section can be broken.
        unsafe { NVIC::unmask(Received) };
        Some(uart)
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: `register` is one of the constants above, all within UART0's page, which nobody else touches.
        unsafe { UART0.add(register).read_volatile() }
    }

    fn write(&self, register: usize, value: u32) {
        // SAFETY: as in `read`.
        unsafe { UART0.add(register).write_volatile(value) }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = bytes.first_mut() else {
            return Ok(0);
        };
        while Uart::read(self, STATE) & STATE_RX_FULL == 0 {
            cortex_m::asm::wfi();
        }
        // The next byte can come only once this one was taken, so nothing pending is lost here.
        Uart::write(self, INTERRUPT, INTERRUPT_RX);
        NVIC::unpend(Received);
        *first = Uart::read(self, DATA) as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while Uart::read(self, STATE) & STATE_TX_FULL != 0 {}
            Uart::write(self, DATA, u32::from(byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while Uart::read(self, STATE) & STATE_TX_FULL != 0 {}
        Ok(())
    }
}

/// Ends the emulator with the status of success or failure.
pub fn exit(success: bool) -> ! {
    debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Tells of a fault without formatting: by a text of its own.
pub fn tell(text: &'static core::ffi::CStr) {
    // SAFETY: the call reads the text up to its zero.
    unsafe { cortex_m_semihosting::syscall1(cortex_m_semihosting::nr::WRITE0, text.as_ptr() as usize) };
}

/// Handlers of faults and panics that only end the emulator, for a program that links no formatting.
#[macro_export]
macro_rules! quiet_handlers {
    () => {
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            $crate::board::tell(c"panic\n");
            $crate::board::exit(false)
        }

        // SAFETY: nothing of the frame is used.
        #[allow(unsafe_code)]
        #[cortex_m_rt::exception]
        unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
            $crate::board::tell(c"hard fault\n");
            $crate::board::exit(false)
        }

        // SAFETY: no state is touched.
        #[allow(unsafe_code)]
        #[cortex_m_rt::exception]
        unsafe fn DefaultHandler(_: i16) -> ! {
            $crate::board::tell(c"unexpected interrupt\n");
            $crate::board::exit(false)
        }
    };
}

/// Handlers of faults and panics that tell what they know, for tests.
#[macro_export]
macro_rules! handlers {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            cortex_m_semihosting::heprintln!("{}", info);
            $crate::board::exit(false)
        }

        // SAFETY: the frame that the trampoline passes is the one on the faulting stack; it is only read.
        #[allow(unsafe_code)]
        #[cortex_m_rt::exception]
        unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
            cortex_m_semihosting::heprintln!("hard fault at {:#010x}, called from {:#010x}", frame.pc(), frame.lr());
            $crate::board::exit(false)
        }

        // SAFETY: no state is touched.
        #[allow(unsafe_code)]
        #[cortex_m_rt::exception]
        unsafe fn DefaultHandler(number: i16) -> ! {
            cortex_m_semihosting::heprintln!("unexpected interrupt {}", number);
            $crate::board::exit(false)
        }
    };
}
