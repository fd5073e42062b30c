//! The operations that training spends its time in, made fast on the processor.
//!
//! A network's block is convolution, BatchNorm, activation. As single operations of burn's Flex backend it passes over memory
//! a dozen times and its gradient is slower still, so here it is one operation with its own backward pass
//! ([`conv_norm_act`]), and one without gradient for inference ([`conv_affine_act`]). Images are laid out
//! `[row][column][channel]`, so that neighbouring values belong together in every loop: a convolution needs no im2col, its
//! register tiles read the padded image directly.
//!
//! | file | what |
//! |---|---|
//! | `simd` | one vector: AVX-512, AVX2 or portable, chosen when the program runs |
//! | `kernels` | loop nests of convolution: outputs, gradients of weights, depthwise variants |
//! | `normalize` | loop nests of BatchNorm and activation |
//! | `plan` | offsets that the kernels follow, forward and backward, any stride |
//! | `block` | the step over a batch on all cores |
//! | `memory` | the allocator keeps what a step frees |
//! | `autodiff` | the step as burn's operation |
// Loops over the registers of a block count by index, so that each index is one register.
#![allow(clippy::needless_range_loop, clippy::too_many_arguments)]

mod autodiff;
mod block;
mod kernels;
mod memory;
mod normalize;
mod plan;
mod simd;
#[cfg(test)]
mod tests;

pub(crate) use autodiff::{ConvOptions, conv_affine_act, conv_norm_act};
