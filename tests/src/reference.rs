//! The nets that the kernels are measured on, and what Arm's CMSIS-NN needs for them.
//!
//! CMSIS-NN in its best exact build (gcc 12, -O3), instructions in the emulator; of Net S with ReLU.

use crate::model::{Net, Spec};

/// A net to measure, with CMSIS-NN's instructions for each layer where they are known.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// The net.
    pub net: Net,
    /// Instructions of each layer.
    pub cmsis_nn: &'static [u32],
}

/// The article's net, 28x28, with LeakyReLU; the compact net for boards; and shapes that no kernel was tuned for.
pub const REFERENCES: [Reference; 3] = [
    Reference {
        net: Net {
            name: "net-s",
            input: [28, 28],
            layers: &[
                Spec::conv(1, 32, 1).leaky(),
                Spec::conv(32, 32, 2).leaky(),
                Spec::conv(32, 64, 1).leaky(),
                Spec::conv(64, 64, 2).leaky(),
                Spec::fully_connected(64),
            ],
        },
        cmsis_nn: &[1_808_217, 3_435_792, 6_616_050, 3_202_122, 379_264],
    },
    Reference {
        net: Net {
            name: "net-c",
            input: [28, 28],
            layers: &[
                Spec::conv(1, 16, 2),
                Spec::depthwise(16, 1),
                Spec::pointwise(32),
                Spec::depthwise(32, 2),
                Spec::pointwise(64),
                Spec::depthwise(64, 1),
                Spec::pointwise(64),
                Spec::depthwise(64, 2),
                Spec::pointwise(96),
                Spec::pool(4, 96),
                Spec::fully_connected(64),
            ],
        },
        cmsis_nn: &[277_649, 231_202, 376_204, 111_280, 268_252, 208_272, 417_820, 64_158, 218_732, 80_576, 14_462],
    },
    Reference {
        net: Net {
            name: "net-u",
            input: [23, 17],
            layers: &[
                Spec::conv(1, 24, 1),
                Spec::conv(24, 40, 1),
                Spec::depthwise(40, 2),
                Spec::pointwise(56),
                Spec::fully_connected(16),
            ],
        },
        cmsis_nn: &[],
    },
];
