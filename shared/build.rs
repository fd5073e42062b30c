//! Says whether the target has the DSP extension of Armv7E-M: stable rustc hides it from `cfg(target_feature)`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(armv7em)");
    let target = std::env::var("TARGET").unwrap_or_default();
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    // A Cortex-M33 has the extension as an option: `-C target-feature=+dsp` says that it is there.
    let mainline_with_dsp = target.starts_with("thumbv8m.main") && features.split(',').any(|feature| feature == "dsp");
    if target.starts_with("thumbv7em") || mainline_with_dsp {
        println!("cargo::rustc-cfg=armv7em");
    }
}
