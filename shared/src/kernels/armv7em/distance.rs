//! The 1:N search: distance.s.

use heapless::Vec;

use super::Label;
use crate::embedding::MAX_DIM;
use crate::kernels::{Bar, Reaching, portable};

/// What distance.s reads.
#[repr(C)]
struct Search {
    probe: *const u32,
    bar: Bar,
    last: *const i8,
    entry: Label,
    rows: *const i8,
    keys: *const i32,
    probe_end: *const u32,
}

unsafe extern "C" {
    fn doppel_first_reaching(work: &Search) -> u64;
    fn doppel_first_reaching_16();
    fn doppel_first_reaching_32();
    fn doppel_first_reaching_48();
    fn doppel_first_reaching_64();
}

/// Elements that the search takes at a time.
const SEARCH_STEP: usize = 16;

/// See [`portable::Room`](crate::kernels::portable::Room).
pub type Room = Vec<[u32; 2], { MAX_DIM / 4 }>;

/// See [`portable::Probe`](crate::kernels::portable::Probe).
#[derive(Clone, Debug)]
pub struct Probe<'a> {
    plain: portable::Probe<'a>,
    /// `stride` elements, widened, in the order of distance.s: the even ones of four, then the odd ones; zeros behind the
    /// last. Empty where the kernel cannot take them.
    wide: &'a [[u32; 2]],
    square: i32,
    entry: Label,
}

impl<'a> Probe<'a> {
    /// See [`portable::Probe::new`](crate::kernels::portable::Probe::new).
    pub fn new(elements: &'a [i8], stride: usize, wide: &'a mut Room) -> Self {
        wide.clear();
        let mut square = 0;
        let (fours, rest) = elements.as_chunks();
        let mut last = [0; 4];
        for (place, &element) in last.iter_mut().zip(rest) {
            *place = element;
        }
        for &[a, b, c, d] in fours.iter().chain([&last]) {
            let (a, b, c, d) = (i32::from(a), i32::from(b), i32::from(c), i32::from(d));
            square += a * a + b * b + c * c + d * d;
            let pair = |low: i32, high: i32| (low & 0xffff | high << 16) as u32;
            // There is room for every embedding; one that is too long is not searched for by the kernel.
            let _ = wide.push([pair(a, c), pair(b, d)]);
        }
        let sound = stride > 0 && stride <= MAX_DIM && stride.is_multiple_of(SEARCH_STEP) && elements.len() <= stride;
        // There is room for as many.
        let _ = wide.resize(if sound { stride / 4 } else { 0 }, [0; 2]);
        let entry = match stride / SEARCH_STEP % 4 {
            0 => doppel_first_reaching_64,
            1 => doppel_first_reaching_16,
            2 => doppel_first_reaching_32,
            _ => doppel_first_reaching_48,
        };
        Probe { plain: portable::Probe::new(elements, stride, &mut portable::Room::new()), wide, square, entry }
    }

    /// See [`portable::Probe::square`](crate::kernels::portable::Probe::square).
    pub fn square(&self) -> i32 {
        self.square
    }

    /// See [`portable::Probe::first_reaching`](crate::kernels::portable::Probe::first_reaching).
    pub fn first_reaching(&self, rows: &[i8], keys: &[i32], bar: Bar) -> Option<Reaching> {
        let (start, stride, probe) = (rows.as_ptr(), self.wide.len() * 4, self.wide.as_ptr().cast::<u32>());
        if stride == 0 || keys.len() > rows.len() / stride || !start.addr().is_multiple_of(4) {
            return self.plain.first_reaching(rows, keys, bar);
        }
        let work = Search {
            probe,
            bar,
            last: start.wrapping_add(keys.len() * stride),
            entry: self.entry,
            rows: start,
            keys: keys.as_ptr(),
            probe_end: probe.wrapping_add(stride / 2),
        };
        // SAFETY: a vector of `stride` elements lies in `rows` for every key; `new` made `stride` a multiple of the step and
        // as many halfwords of the probe; vectors, keys and probe are aligned to four.
        let found = unsafe { doppel_first_reaching(&work) };
        let (behind, over) = (found as usize, (found >> 32) as i32);
        let index = (behind.checked_sub(start.addr())? / stride).checked_sub(1)?;
        Some(Reaching { index, dot: over.wrapping_sub(bar.start(*keys.get(index)?)) })
    }
}
