//! One vector of `f32`, as wide as the processor has them, chosen when the program runs.
//!
//! Processor intrinsics need unsafe code, and so do pointers without bounds checks in the loops that training spends its time in,
//! here, in [`kernels`](super::kernels) and in [`normalize`](super::normalize).
#![allow(unsafe_code)]

/// A vector of `f32`.
///
/// # Safety
/// The functions of an implementation may only run where its instruction set exists; [`run`] sees to that. `load` and `store`
/// need `LANES` readable or writable values at the pointer, without any alignment.
pub(super) unsafe trait Vector: Copy {
    /// Values in a vector.
    const LANES: usize;
    /// Rows of a register tile of two vectors a row.
    const ROWS: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    /// `self * factor + addend`.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Lane by lane, `yes` where `self > 0`, else `no`.
    unsafe fn where_positive(self, yes: Self, no: Self) -> Self;
}

/// A loop nest that is compiled once for each instruction set.
pub(super) trait Kernel {
    /// What it returns.
    type Output;
    /// Runs with vectors of type `V`; must be `#[inline(always)]`, so that it is compiled for the caller's instruction set.
    ///
    /// # Safety
    /// `V`'s instruction set must exist.
    unsafe fn run<V: Vector>(self) -> Self::Output;
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    /// What every processor has.
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Vectors of 16 made of plain floats, to test the wide tiles anywhere.
    #[cfg(test)]
    PortableWide,
}

impl Isa {
    /// The widest that this processor has.
    pub(super) fn detect() -> Isa {
        Isa::detected().next().unwrap_or(Isa::Portable)
    }

    /// Those that this processor has beyond the portable ones, widest first.
    pub(super) fn detected() -> impl Iterator<Item = Isa> {
        #[cfg(target_arch = "x86_64")]
        let detected = {
            let avx512 = std::arch::is_x86_feature_detected!("avx512f");
            let avx2 = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
            [(Isa::Avx512, avx512), (Isa::Avx2, avx2)]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let detected: [(Isa, bool); 0] = [];
        detected.into_iter().filter(|&(_, there)| there).map(|(isa, _)| isa)
    }

    /// Values in one of its vectors.
    pub(super) fn lanes(self) -> usize {
        match self {
            Isa::Portable => <[f32; 8] as Vector>::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => <core::arch::x86_64::__m256 as Vector>::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => <core::arch::x86_64::__m512 as Vector>::LANES,
            #[cfg(test)]
            Isa::PortableWide => <[f32; 16] as Vector>::LANES,
        }
    }

    /// Runs `kernel` with this instruction set.
    ///
    /// # Safety
    /// The kernel's own conditions; the instruction set must come from [`Isa::detect`] or be portable.
    pub(super) unsafe fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `detect` has seen the features that the arms below are compiled for; the rest is the caller's.
        unsafe {
            match self {
                Isa::Portable => kernel.run::<[f32; 8]>(),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => x86::avx2(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => x86::avx512(kernel),
                #[cfg(test)]
                Isa::PortableWide => kernel.run::<[f32; 16]>(),
            }
        }
    }
}

// SAFETY: plain arithmetic; `load` and `store` touch `N` values, as the trait says.
unsafe impl<const N: usize> Vector for [f32; N] {
    const LANES: usize = N;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; N]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] - other[i])
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] * other[i])
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] > other[i] { self[i] } else { other[i] })
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // Without the instruction a fused multiply-add is a slow library call.
        if cfg!(target_arch = "aarch64") {
            std::array::from_fn(|i| self[i].mul_add(factor[i], addend[i]))
        } else {
            std::array::from_fn(|i| self[i] * factor[i] + addend[i])
        }
    }

    #[inline(always)]
    unsafe fn where_positive(self, yes: Self, no: Self) -> Self {
        std::array::from_fn(|i| if self[i] > 0.0 { yes[i] } else { no[i] })
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Vector};
    use core::arch::x86_64::*;

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
        unsafe { kernel.run::<__m256>() }
    }

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub(super) unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
        unsafe { kernel.run::<__m512>() }
    }

    // SAFETY: unaligned loads and stores of 8 values; the intrinsics need AVX2 and FMA, which the trait asks for.
    unsafe impl Vector for __m256 {
        const LANES: usize = 8;
        /// 6 x 2 sums, 2 weights and 1 factor fill the 16 registers.
        const ROWS: usize = 6;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            unsafe { _mm256_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            unsafe { _mm256_sub_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            unsafe { _mm256_mul_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            unsafe { _mm256_max_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            unsafe { _mm256_fmadd_ps(self, factor, addend) }
        }

        #[inline(always)]
        unsafe fn where_positive(self, yes: Self, no: Self) -> Self {
            unsafe {
                let positive = _mm256_cmp_ps::<_CMP_GT_OQ>(self, _mm256_setzero_ps());
                _mm256_blendv_ps(no, yes, positive)
            }
        }
    }

    // SAFETY: unaligned loads and stores of 16 values; the intrinsics need AVX-512F, which the trait asks for.
    unsafe impl Vector for __m512 {
        const LANES: usize = 16;
        /// 8 x 2 of the 32 registers hold sums; more rows would run out of address registers.
        const ROWS: usize = 8;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            unsafe { _mm512_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            unsafe { _mm512_sub_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            unsafe { _mm512_mul_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            unsafe { _mm512_max_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            unsafe { _mm512_fmadd_ps(self, factor, addend) }
        }

        #[inline(always)]
        unsafe fn where_positive(self, yes: Self, no: Self) -> Self {
            unsafe {
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self, _mm512_setzero_ps());
                _mm512_mask_blend_ps(positive, no, yes)
            }
        }
    }
}
