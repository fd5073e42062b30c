//! Says which assembly the target's core can run: stable rustc hides the DSP extension from `cfg(target_feature)`, and the
//! profile of a core from `cfg(target_arch)`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(armv6m, armv7em, armv8m, riscv32m)");
    println!("cargo::rerun-if-env-changed=DOPPEL_KERNELS");
    // What the kernels of a core are measured against.
    if std::env::var_os("DOPPEL_KERNELS").is_some_and(|kernels| kernels == "portable") {
        return;
    }
    let target = std::env::var("TARGET").unwrap_or_default();
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    // A Cortex-M33 may have the extension, and has it where a board's flags name the core without `-dsp`.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let names_core = flags.split('\x1f').any(|flag| flag.trim_start_matches("-C").trim() == "target-cpu=cortex-m33");
    let mainline_with_dsp = target.starts_with("thumbv8m.main") && names_core && !flags.contains("-dsp");
    if target.starts_with("thumbv7em") || mainline_with_dsp {
        println!("cargo::rustc-cfg=armv7em");
        if mainline_with_dsp {
            println!("cargo::rustc-cfg=armv8m");
        }
    } else if target.starts_with("thumb") {
        println!("cargo::rustc-cfg=armv6m");
    } else if target.starts_with("riscv32") && features.split(',').any(|feature| feature == "m") {
        println!("cargo::rustc-cfg=riscv32m");
    }
}
