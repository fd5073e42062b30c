//! What training computes on.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::str::FromStr;

use burn::tensor::{Device, Tensor};
use thiserror::Error;

/// What training computes on: the processor, or a GPU that the program was built for.
///
/// Only the processor promises the same weights for the same seed: a GPU may add in another order each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// The processor.
    Cpu,
    /// NVIDIA's GPU of this number, through CUDA; cargo feature `cuda`.
    Cuda(usize),
    /// The GPU that the system prefers, through Vulkan, Metal or DirectX; cargo feature `wgpu`.
    Wgpu,
}

impl Default for Compute {
    /// The GPU that the program was built for, else the processor.
    fn default() -> Compute {
        if cfg!(feature = "cuda") {
            Compute::Cuda(0)
        } else if cfg!(feature = "wgpu") {
            Compute::Wgpu
        } else {
            Compute::Cpu
        }
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compute::Cpu => f.write_str("cpu"),
            Compute::Cuda(0) => f.write_str("cuda"),
            Compute::Cuda(number) => write!(f, "cuda:{number}"),
            Compute::Wgpu => f.write_str("wgpu"),
        }
    }
}

impl FromStr for Compute {
    type Err = ComputeError;

    fn from_str(text: &str) -> Result<Compute, ComputeError> {
        let unknown = || ComputeError::Unknown(text.to_string());
        match text.split_once(':') {
            None if text == "cpu" => Ok(Compute::Cpu),
            None if text == "cuda" => Ok(Compute::Cuda(0)),
            None if text == "wgpu" => Ok(Compute::Wgpu),
            Some(("cuda", number)) => number.parse().map(Compute::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

/// Why training cannot compute there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ComputeError {
    /// There is no such name.
    #[error("{0} is no device: use cpu, cuda, cuda:1 (the second GPU) or wgpu")]
    Unknown(String),
    /// The program lacks the code for it.
    #[error(
        "this program was built without {feature}: build it with `cargo build --release --features {feature}`, \
         or use --device cpu"
    )]
    NotBuilt {
        /// The cargo feature.
        feature: &'static str,
    },
    /// The device does not compute.
    #[error("--device {compute} finds no GPU that computes ({message}): check its driver, or use --device cpu")]
    Dead {
        /// What was asked for.
        compute: Compute,
        /// What the GPU's library says, one line.
        message: String,
    },
}

impl Compute {
    /// The device, after a small sum on it has come out right.
    pub(super) fn open(self) -> Result<Device, ComputeError> {
        if self == Compute::Cpu {
            return Ok(Device::flex());
        }
        let (feature, built) = match self {
            Compute::Wgpu => ("wgpu", cfg!(feature = "wgpu")),
            _ => ("cuda", cfg!(feature = "cuda")),
        };
        if !built {
            return Err(ComputeError::NotBuilt { feature });
        }
        // The libraries of GPUs panic where there is none.
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let device = self.device()?;
            let sum: f32 = Tensor::<1>::from_data([1.0f32, 2.0], &device).sum().into_scalar();
            Some((device, sum))
        }));
        set_hook(hook);
        let dead = |message: String| ComputeError::Dead { compute: self, message };
        match tried {
            Ok(Some((device, 3.0))) => Ok(device),
            Ok(Some((_, sum))) => Err(dead(format!("it adds 1 and 2 to {sum}"))),
            Ok(None) => Err(ComputeError::NotBuilt { feature }),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
                Err(dead(text.split_whitespace().collect::<Vec<_>>().join(" ")))
            }
        }
    }

    /// The device, if the program was built for it.
    fn device(self) -> Option<Device> {
        match self {
            Compute::Cpu => Some(Device::flex()),
            #[cfg(feature = "cuda")]
            Compute::Cuda(number) => Some(Device::cuda(number)),
            #[cfg(feature = "wgpu")]
            Compute::Wgpu => Some(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(not(all(feature = "cuda", feature = "wgpu")))]
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for compute in [Compute::Cpu, Compute::Cuda(0), Compute::Cuda(3), Compute::Wgpu] {
            assert_eq!(compute.to_string().parse(), Ok(compute));
        }
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cpu:0", "wgpu:1", "CPU"] {
            assert_eq!(wrong.parse::<Compute>(), Err(ComputeError::Unknown(wrong.into())));
        }
    }

    #[test]
    fn the_processor_always_computes_and_what_is_not_built_says_so() {
        assert_eq!(Compute::Cpu.open(), Ok(Device::flex()));
        for (compute, feature, built) in
            [(Compute::Cuda(0), "cuda", cfg!(feature = "cuda")), (Compute::Wgpu, "wgpu", cfg!(feature = "wgpu"))]
        {
            if !built {
                assert_eq!(compute.open(), Err(ComputeError::NotBuilt { feature }));
            }
        }
    }
}
