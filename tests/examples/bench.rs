//! Instructions of every layer on the emulated Cortex-M4F: `tests/run.sh bench [--json] [MODEL…]`.
//!
//! Without a model, of the reference nets with random weights, beside CMSIS-NN's figures. The counts are exact and the same
//! on every run: the emulator's timer ticks once an instruction.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use object::{Object, ObjectSymbol};
use parity::board::{build, run_counting};
use parity::model;
use parity::reference::REFERENCES;
use serde_json::json;
use shared::bundle::{Bundle, Layer};
use shared::geometry::Kind;
use shared::network::{Step, steps};

/// What the board measured of one net.
struct Measured {
    net: String,
    steps: Vec<Row>,
    whole: Row,
    arena: u64,
    stack: u64,
    code: u64,
    model: u64,
    /// Templates, dimension, instructions: of few templates, of many.
    searches: [[u64; 3]; 2],
    /// From raw sample to embedding.
    embed: u64,
}

struct Row {
    layer: String,
    macs: u64,
    instructions: u64,
    cmsis_nn: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let (flags, models): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a.starts_with('-'));
    if let Some(flag) = flags.iter().find(|flag| *flag != "--json") {
        bail!("{flag} is unknown: use --json or name models");
    }
    let json = !flags.is_empty();
    let mut all = Vec::new();
    if models.is_empty() {
        let dir = tempfile::tempdir()?;
        for reference in REFERENCES {
            let bytes = model::build(&reference.net, 1);
            let bundle = Bundle::check(bytes.bytes())?;
            let path = dir.path().join(reference.net.name);
            fs::create_dir_all(&path)?;
            fs::write(path.join("model.bundle"), bytes.bytes())?;
            fs::write(path.join("golden.bin"), model::golden(&bundle, 2))?;
            all.push(measure(&path, &bundle, reference.cmsis_nn)?);
        }
    }
    for name in models {
        let bytes = host::model::BundleBytes::open(Path::new(&name))?;
        all.push(measure(&PathBuf::from(&name), &bytes.bundle()?, &[])?);
    }
    for measured in &all {
        if json { print_json(measured) } else { print_table(measured) }
    }
    if let (false, Some(Measured { searches, .. })) = (json, all.first()) {
        for [templates, dim, count] in searches {
            let each = *count as f64 / (templates * dim) as f64;
            println!(
                "identify among {templates} templates of {dim}: {count} instructions, {each:.2} a dimension and template"
            );
        }
    }
    if !json {
        for Measured { net, searches: [[templates, _, count], _], embed, .. } in &all {
            let part = 100.0 * *count as f64 / *embed as f64;
            println!(
                "{net}: raw sample to embedding {embed} instructions; {templates} templates are {part:.2} % of it"
            );
        }
    }
    Ok(())
}

fn measure(dir: &Path, bundle: &Bundle<'_>, cmsis_nn: &[u32]) -> anyhow::Result<Measured> {
    let elf = build("bench", dir)?;
    let outcome = run_counting(&elf)?;
    if outcome.status != 0 {
        bail!("bench failed on the board: {}{}", outcome.output, outcome.errors);
    }
    let lines: Vec<Vec<&str>> = outcome.output.lines().map(|line| line.split(' ').collect()).collect();
    let numbers = |name: &str| -> anyhow::Result<Vec<u64>> {
        let line = lines.iter().find(|line| line[0] == name).with_context(|| format!("bench printed no `{name}`"))?;
        Ok(line[1..].iter().map_while(|word| word.parse().ok()).collect())
    };
    let counted = lines.iter().filter(|line| line[0] == "step");
    let counts = counted.map(|line| Ok(line.get(3).context("a short line of bench")?.parse()?));
    let counts: Vec<u64> = counts.collect::<anyhow::Result<_>>()?;
    let mut layers = 0;
    let rows = steps(bundle).zip(counts).map(|(step, instructions)| {
        let (first, count) = (layers, 1 + usize::from(step.front.is_some()));
        layers += count;
        let cmsis_nn = cmsis_nn.get(first..first + count).map(|rows| rows.iter().map(|&n| u64::from(n)).sum());
        let macs = |layer: &Layer<'_>| layer.entry.geometry.macs();
        let macs = step.front.as_ref().map_or(0, macs) + macs(&step.layer);
        Row { layer: name(&step, first), macs, instructions, cmsis_nn }
    });
    let steps = rows.collect();
    let [macs, instructions, arena, stack, model] = numbers("net")?[..] else { bail!("a short line of bench") };
    let total = cmsis_nn.iter().map(|&n| u64::from(n)).sum();
    let searches: Vec<[u64; 3]> = lines
        .iter()
        .filter(|line| line[0] == "search")
        .filter_map(|line| line[1..].iter().map_while(|word| word.parse().ok()).collect::<Vec<_>>().try_into().ok())
        .collect();
    let searches = searches.try_into().ok().context("bench printed other than two searches")?;
    let embed = numbers("embed")?.first().copied().context("a short line of bench")?;
    Ok(Measured {
        net: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        steps,
        whole: Row { layer: "whole".into(), macs, instructions, cmsis_nn: (total > 0).then_some(total) },
        arena,
        stack,
        code: kernel_code(&elf)?,
        model,
        searches,
        embed,
    })
}

/// Bytes of the kernels in a board's program: the assembly, and the compiled functions of their module.
fn kernel_code(elf: &[u8]) -> anyhow::Result<u64> {
    let file = object::File::parse(elf)?;
    let address = |name: &str| {
        let symbol = file.symbol_by_name(name).with_context(|| format!("the program has no symbol {name}"))?;
        Ok::<_, anyhow::Error>(symbol.address())
    };
    let compiled = file.symbols().filter(|symbol| symbol.name().is_ok_and(|name| name.contains("6shared7kernels")));
    let assembly = address("doppel_kernels_end")? - address("doppel_kernels_start")?;
    Ok(assembly + compiled.map(|symbol| symbol.size()).sum::<u64>())
}

/// A step's name: its layers' kinds with their places, counted from 1.
fn name(step: &Step<'_>, first: usize) -> String {
    let one = |layer: &Layer<'_>, index: usize| {
        let geometry = &layer.entry.geometry;
        let kind = match geometry.kind {
            Kind::Pool => "pool",
            Kind::Winograd => "winograd",
            Kind::Planar if geometry.input.channels == geometry.output.channels => "depthwise",
            Kind::Dense if geometry.input.height == 1 && geometry.input.width == 1 => "fc",
            Kind::Dense if geometry.kernel == [1, 1] => "pointwise",
            _ => "conv",
        };
        format!("{kind}{}", index + 1)
    };
    match &step.front {
        Some(front) => format!("{} + {}", one(front, first), one(&step.layer, first + 1)),
        None => one(&step.layer, first),
    }
}

fn print_table(measured: &Measured) {
    let Measured { net, arena, stack, code, model, .. } = measured;
    println!("\n{net}: arena {arena} bytes, stack {stack}, kernel code {code}, model {model}\n");
    println!("{:<16}{:>11}{:>14}{:>8}{:>14}{:>8}", "layer", "MACs", "instructions", "a MAC", "CMSIS-NN", "ratio");
    for row in measured.steps.iter().chain([&measured.whole]) {
        let each = row.instructions as f64 / row.macs.max(1) as f64;
        let theirs = row.cmsis_nn.map_or(String::new(), |n| n.to_string());
        let ratio = row.cmsis_nn.map_or(String::new(), |n| format!("{:.2}", n as f64 / row.instructions as f64));
        println!("{:<16}{:>11}{:>14}{each:>8.2}{theirs:>14}{ratio:>8}", row.layer, row.macs, row.instructions);
    }
    println!();
}

fn print_json(measured: &Measured) {
    let Measured { net, whole, arena, stack, code, model, .. } = measured;
    for Row { layer, macs, instructions, .. } in &measured.steps {
        println!("{}", json!({ "net": net, "layer": layer, "macs": macs, "instructions": instructions }));
    }
    let (macs, instructions) = (whole.macs, whole.instructions);
    println!(
        "{}",
        json!({ "net": net, "layer": "whole", "macs": macs, "instructions": instructions,
                "arena": arena, "stack": stack, "code": code, "model": model })
    );
}
