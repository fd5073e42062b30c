//! Instructions of every layer on an emulated core: `tests/run.sh bench [--json] [--save] [--core m4|m33|m0|riscv] [MODEL…]`.
//!
//! Without a model, of the reference nets with random weights. On the Cortex-M4F CMSIS-NN's figures stand beside them, and
//! kernels that gain less on a layer or take more code than they may fail, as does a search that takes too much of the compact
//! net's time; on the other cores those of the portable kernels, and a net that takes more instructions than by these fails.
//! The counts are exact and the same on every run: the emulator's timer ticks once an instruction. `--save` keeps the
//! Cortex-M4F's in each model's folder, whose card tells them from the next `doppel report` on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use host::report::OnBoard;
use object::{Object, ObjectSymbol};
use parity::board::{Board, CORES, EMULATED, Kernels, build_for, run_counting};
use parity::model;
use parity::reference::REFERENCES;
use serde_json::json;
use shared::bundle::{Bundle, Layer};
use shared::geometry::Kind;
use shared::network::{Step, steps};

/// How many times as many instructions CMSIS-NN takes for any layer, at least.
const GAIN: f64 = 1.7;
/// Most bytes of the Cortex-M4F's kernels.
const CODE: u64 = 10 * 1024;
/// The compact net among the references.
const COMPACT: &str = "net-c";
/// Most percent of the compact net's way from raw sample to embedding that a search among few templates takes, by its own metric and
/// by the other one.
const SEARCH: [f64; 2] = [2.0, 2.1];

/// What the board measured of one net.
struct Measured {
    net: String,
    steps: Vec<Row>,
    whole: Row,
    arena: u64,
    stack: u64,
    code: u64,
    model: u64,
    /// By the model's own metric among few templates, among many; then by the other metric.
    searches: [Search; 4],
    /// From raw sample to embedding.
    embed: u64,
}

/// A 1:N search.
struct Search {
    metric: String,
    templates: u64,
    dim: u64,
    instructions: u64,
}

struct Row {
    layer: String,
    macs: u64,
    instructions: u64,
    /// By CMSIS-NN, or by the portable kernels.
    other: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let (mut json, mut save, mut core, mut models) = (false, false, EMULATED, vec![]);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--save" => save = true,
            "--core" => {
                let name = arguments.next().unwrap_or_default();
                core = *CORES.iter().find(|core| core.name == name).context("--core takes m4, m33, m0 or riscv")?;
            }
            flag if flag.starts_with('-') => bail!("{flag} is unknown: use --json, --save or --core, or name models"),
            _ => models.push(argument),
        }
    }
    if save && (core != EMULATED || models.is_empty()) {
        bail!("--save keeps what the Cortex-M4F takes beside models: name some, and no other core");
    }
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
            all.push(measure(core, &path, &bundle, reference.cmsis_nn)?);
        }
    }
    for name in models {
        let bytes = host::model::BundleBytes::open(Path::new(&name))?;
        let (folder, bundle) = (PathBuf::from(&name), bytes.bundle()?);
        let measured = measure(core, &folder, &bundle, &[])?;
        if save {
            let model_id = format!("{:016x}", bundle.header().model_id);
            let (instructions, network, stack) = (measured.embed, measured.whole.instructions, measured.stack);
            OnBoard { model_id, instructions, network, stack }.write(&folder)?;
        }
        all.push(measured);
    }
    for measured in &all {
        if json { print_json(core, measured) } else { print_table(core, measured) }
    }
    if let (false, Some(Measured { searches, .. })) = (json, all.first()) {
        for Search { metric, templates, dim, instructions } in searches {
            let each = *instructions as f64 / (templates * dim) as f64;
            println!(
                "identify by {metric} among {templates} templates of {dim}: {instructions} instructions, {each:.2} a dimension and template"
            );
        }
    }
    if !json {
        for Measured { net, searches: [Search { metric, templates, instructions, .. }, ..], embed, .. } in &all {
            let part = 100.0 * *instructions as f64 / *embed as f64;
            println!(
                "{net}: raw sample to embedding {embed} instructions; {templates} templates by {metric} are {part:.2} % of it"
            );
        }
    }
    if core == EMULATED { check(&all) } else { Ok(()) }
}

/// Whether kernels and search on the Cortex-M4F are as fast, and the kernels as small, as they have to be.
fn check(all: &[Measured]) -> anyhow::Result<()> {
    for Measured { net, steps, code, searches: [own, _, other, _], embed, .. } in all {
        for Row { layer, instructions, other, .. } in steps {
            if other.is_some_and(|theirs| (theirs as f64) < GAIN * *instructions as f64) {
                bail!("{layer} of {net} takes {instructions} instructions, less than {GAIN} times fewer than CMSIS-NN");
            }
        }
        if *code > CODE {
            bail!("the kernels take {code} bytes of code, more than {CODE}");
        }
        for (Search { metric, templates, instructions, .. }, most) in [own, other].into_iter().zip(SEARCH) {
            let part = 100.0 * *instructions as f64 / *embed as f64;
            if net == COMPACT && part > most {
                bail!(
                    "identifying by {metric} among {templates} templates takes {part:.2} % of {net}'s embedding, more than {most}"
                );
            }
        }
    }
    Ok(())
}

/// What a program of the bench printed.
struct Printed {
    steps: Vec<u64>,
    net: [u64; 5],
    searches: [Search; 4],
    embed: u64,
    code: u64,
}

fn print(core: Board, kernels: Kernels, dir: &Path) -> anyhow::Result<Printed> {
    let elf = build_for(core, kernels, "bench", dir)?;
    let outcome = run_counting(core, &elf)?;
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
    let searches = lines.iter().filter(|line| line[0] == "search").map(|line| {
        let [_, metric, templates, dim, instructions] = line[..] else { bail!("a short line of bench") };
        Ok(Search {
            metric: metric.into(),
            templates: templates.parse()?,
            dim: dim.parse()?,
            instructions: instructions.parse()?,
        })
    });
    let searches: Vec<Search> = searches.collect::<anyhow::Result<_>>()?;
    Ok(Printed {
        steps: counts.collect::<anyhow::Result<_>>()?,
        net: numbers("net")?.try_into().ok().context("a short line of bench")?,
        searches: searches.try_into().ok().context("bench printed other than four searches")?,
        embed: numbers("embed")?.first().copied().context("a short line of bench")?,
        code: kernel_code(&elf)?,
    })
}

fn measure(core: Board, dir: &Path, bundle: &Bundle<'_>, cmsis_nn: &[u32]) -> anyhow::Result<Measured> {
    let printed = print(core, Kernels::Chosen, dir)?;
    let portable = if core == EMULATED { None } else { Some(print(core, Kernels::Portable, dir)?) };
    let mut layers = 0;
    let rows = steps(bundle).zip(&printed.steps).enumerate().map(|(index, (step, &instructions))| {
        let (first, count) = (layers, 1 + usize::from(step.front.is_some()));
        layers += count;
        let other = match &portable {
            Some(portable) => portable.steps.get(index).copied(),
            None => cmsis_nn.get(first..first + count).map(|rows| rows.iter().map(|&n| u64::from(n)).sum()),
        };
        let macs = |layer: &Layer<'_>| layer.entry.geometry.macs();
        let macs = step.front.as_ref().map_or(0, macs) + macs(&step.layer);
        Row { layer: name(&step, first), macs, instructions, other }
    });
    let steps = rows.collect();
    let net = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let [macs, instructions, arena, stack, model] = printed.net;
    let other = match &portable {
        Some(portable) => Some(portable.net[1]),
        None => Some(cmsis_nn.iter().map(|&n| u64::from(n)).sum()).filter(|&total| total > 0),
    };
    if let (Some(_), Some(by_portable)) = (&portable, other)
        && instructions > by_portable
    {
        bail!(
            "{net} takes {instructions} instructions on {}, more than the {by_portable} of the portable kernels",
            core.name
        );
    }
    let whole = Row { layer: "whole".into(), macs, instructions, other };
    Ok(Measured {
        net,
        steps,
        whole,
        arena,
        stack,
        code: printed.code,
        model,
        searches: printed.searches,
        embed: printed.embed,
    })
}

/// Bytes of the kernels in a board's program: the assembly, and the compiled functions of their module.
fn kernel_code(elf: &[u8]) -> anyhow::Result<u64> {
    let file = object::File::parse(elf)?;
    // Not every core's kernels are files of assembly.
    let address = |name: &str| file.symbol_by_name(name).map_or(0, |symbol| symbol.address());
    let compiled = file.symbols().filter(|symbol| symbol.name().is_ok_and(|name| name.contains("6shared7kernels")));
    let assembly = address("doppel_kernels_end") - address("doppel_kernels_start");
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

fn print_table(core: Board, measured: &Measured) {
    let Measured { net, arena, stack, code, model, .. } = measured;
    println!("\n{net} on {}: arena {arena} bytes, stack {stack}, kernel code {code}, model {model}\n", core.name);
    let other = if core == EMULATED { "CMSIS-NN" } else { "portable" };
    println!("{:<16}{:>11}{:>14}{:>8}{:>14}{:>8}", "layer", "MACs", "instructions", "a MAC", other, "ratio");
    for row in measured.steps.iter().chain([&measured.whole]) {
        let each = row.instructions as f64 / row.macs.max(1) as f64;
        let theirs = row.other.map_or(String::new(), |n| n.to_string());
        let ratio = row.other.map_or(String::new(), |n| format!("{:.2}", n as f64 / row.instructions as f64));
        println!("{:<16}{:>11}{:>14}{each:>8.2}{theirs:>14}{ratio:>8}", row.layer, row.macs, row.instructions);
    }
    println!();
}

fn print_json(core: Board, measured: &Measured) {
    let Measured { net, whole, arena, stack, code, model, .. } = measured;
    for Row { layer, macs, instructions, .. } in &measured.steps {
        println!(
            "{}",
            json!({ "core": core.name, "net": net, "layer": layer, "macs": macs, "instructions": instructions })
        );
    }
    let (macs, instructions) = (whole.macs, whole.instructions);
    println!(
        "{}",
        json!({ "core": core.name, "net": net, "layer": "whole", "macs": macs, "instructions": instructions,
                "arena": arena, "stack": stack, "code": code, "model": model })
    );
}
