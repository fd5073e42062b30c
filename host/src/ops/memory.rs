//! Large blocks: how the allocator keeps them, and how tasks write one together.
#![allow(unsafe_code)]

use std::mem::{self, MaybeUninit};

use rayon::prelude::*;

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

/// What one task writes of a vector.
pub(super) struct Part<'a>(&'a mut [MaybeUninit<f32>]);

impl<'a> Part<'a> {
    /// The next `len` values, all 0: few enough of them are still in the cache when the task writes them.
    pub(super) fn next(&mut self, len: usize) -> &'a mut [f32] {
        assert!(len <= self.0.len(), "{len} of the {} values that are left of a part", self.0.len());
        let (stretch, rest) = mem::take(&mut self.0).split_at_mut(len);
        self.0 = rest;
        stretch.fill(MaybeUninit::new(0.0));
        // SAFETY: every value of the stretch has just been written.
        unsafe { stretch.assume_init_mut() }
    }
}

/// A vector that tasks write in parallel, `lengths` values each, and what they return, in order. A task must take all of its part.
pub(super) fn written_in_parts<S: Send>(
    lengths: &[usize],
    task: impl Fn(usize, &mut Part<'_>) -> S + Sync,
) -> (Vec<f32>, Vec<S>) {
    let len = lengths.iter().sum();
    let mut values = Vec::with_capacity(len);
    let mut rest = &mut values.spare_capacity_mut()[..len];
    let mut parts = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (part, after) = rest.split_at_mut(length);
        parts.push(Part(part));
        rest = after;
    }
    let returned = parts
        .into_par_iter()
        .enumerate()
        .map(|(index, mut part)| {
            let returned = task(index, &mut part);
            assert!(part.0.is_empty(), "task {index} left {} values of its part", part.0.len());
            returned
        })
        .collect();
    // SAFETY: the capacity is there; the parts cover it, and each was taken to its end, which wrote it.
    unsafe { values.set_len(len) };
    (values, returned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_write_their_parts_in_order() {
        let (values, returned) = written_in_parts(&[2, 0, 3], |index, part| {
            if index == 2 {
                part.next(2)[1] = 5.0;
                part.next(1)[0] = 7.0;
            } else {
                part.next(2 - 2 * index).fill(1.0);
            }
            index
        });
        assert_eq!(values, [1.0, 1.0, 0.0, 5.0, 7.0]);
        assert_eq!(returned, [0, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "left 1 values")]
    fn a_part_must_be_taken_to_its_end() {
        written_in_parts(&[2], |_, part| part.next(1).len());
    }
}
