//! The allocator's ways with large blocks.
#![allow(unsafe_code)]

/// Lets the C library keep freed memory for the next training step.
///
/// A step allocates and frees tens of megabytes of activations. glibc would give them back to the system each time, and getting
/// them again, page by page, takes a sixth of the step's time. Elsewhere this does nothing.
pub(super) fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        // SAFETY: sets parameters of the allocator, which any thread may do at any time.
        ONCE.call_once(|| unsafe {
            // The largest threshold that glibc accepts on 64 bits: DEFAULT_MMAP_THRESHOLD_MAX.
            libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        });
    }
}
