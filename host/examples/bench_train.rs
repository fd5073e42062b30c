//! Training speed beside PyTorch's: `tests/run.sh bench-train [--json]`.
//!
//! Both sides train the reference nets on one batch of random images: forward, triplet loss, backward, Adam. They take short turns
//! on the same processor, so that what else it does meets both alike; the figures are medians over the turns, by the clock and by
//! the time that the processor worked on them. PyTorch's threads wait for each other at every layer and lose most where other
//! programs run: compare on a quiet machine, or with `--threads 1`. Fails where PyTorch is faster than it may be.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Tensor};
use clap::Parser;
use cpu_time::ProcessTime;
use host::loss::{squared_distances, triplet};
use host::mining::Triplet;
use host::net::{Architecture, Net, Shape};
use serde_json::json;

/// Sides of the square input, values of an embedding, margin of the loss: as in `train_speed.py`.
const SIDE: usize = 28;
const EMBEDDING: usize = 64;
const MARGIN: f32 = 0.2;

/// What a turn takes, in seconds; the step that is under way is finished.
const TURN: f64 = 0.5;

/// Trains the reference nets here and in PyTorch by turns and compares images a second.
#[derive(Parser)]
struct Args {
    /// Python that has PyTorch; without it only this side is measured.
    #[arg(long)]
    python: Option<PathBuf>,
    /// One JSON object a net.
    #[arg(long)]
    json: bool,
    /// Images of a batch.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Turns that each side takes.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Threads of each side [default: one a core].
    #[arg(long)]
    threads: Option<usize>,
    /// Only this net.
    #[arg(long, value_parser = ["article", "compact"])]
    net: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(
        args.batch >= 4 && args.batch % 2 == 0,
        "--batch {} cannot be paired: use an even number from 4 on",
        args.batch
    );
    ensure!(args.rounds > 0, "--rounds 0 measures nothing: use at least 1");
    let input = Shape::new(1, SIDE, SIDE);
    // Each with the least images a second as a multiple of PyTorch's, by the processor's time.
    let nets = [
        ("article", Architecture::article(input, EMBEDDING), 0.8),
        ("compact", Architecture::compact(input, 1.0, EMBEDDING), 1.0),
    ];
    let threads = args.threads.unwrap_or(std::thread::available_parallelism().map_or(1, usize::from));
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut torch = args.python.as_deref().map(|python| Torch::start(python, args.batch, threads)).transpose()?;
    if let (Some(torch), false) = (&torch, args.json) {
        println!("images a second, batch {}, threads {threads}, PyTorch {}", args.batch, torch.version);
    }
    let mut slow = Vec::new();
    for (name, architecture, least) in nets {
        if args.net.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        if let Some(torch) = &mut torch {
            torch.expect(name, architecture.parameters()?.iter().sum())?;
        }
        let mut ours = Trainer::new(&architecture, args.batch)?;
        let mut speeds = [Vec::new(), Vec::new()];
        // The first turn, which allocates and warms up, does not count.
        for turn in 0..=args.rounds {
            let here = ours.turn()?;
            let there = torch.as_mut().map(|torch| torch.turn(name)).transpose()?;
            if turn > 0 {
                speeds[0].push(here);
                speeds[1].extend(there);
            }
        }
        let [here, torch_turns] = speeds;
        let by = |time: fn(&Turn) -> f64| {
            let of =
                |turns: &[Turn]| Speed::new(turns.iter().map(|turn| turn.steps / time(turn)).collect(), args.batch);
            anyhow::Ok((of(&here).context("no turn was measured")?, of(&torch_turns)))
        };
        let (clock, there) = by(|turn| turn.seconds)?;
        let (busy, there_busy) = by(|turn| turn.processor_seconds)?;
        let ratio = |here: &Speed, there: &Option<Speed>| there.as_ref().map(|there| here.median / there.median);
        if args.json {
            let median = |speed: &Option<Speed>| speed.as_ref().map(|speed| speed.median);
            let line = json!({
                "net": name, "batch": args.batch, "threads": threads, "images_per_second": clock.median,
                "pytorch": median(&there), "ratio": ratio(&clock, &there),
                "images_per_processor_second": busy.median, "pytorch_processor": median(&there_busy),
                "ratio_processor": ratio(&busy, &there_busy),
            });
            println!("{line}");
        } else {
            for (what, here, there) in [("", &clock, &there), (" by processor time", &busy, &there_busy)] {
                print!("{name}{what}: {here}");
                if let (Some(there), Some(ratio)) = (there, ratio(here, there)) {
                    print!(", PyTorch {there}: {ratio:.2}x");
                }
                println!();
            }
        }
        if ratio(&busy, &there_busy).is_some_and(|ratio| ratio < least) {
            slow.push(format!("{name} trains less than {least} times as fast as PyTorch"));
        }
    }
    ensure!(slow.is_empty(), "{}", slow.join("; "));
    Ok(())
}

/// What was done in one turn.
struct Turn {
    steps: f64,
    seconds: f64,
    processor_seconds: f64,
}

/// Images a second.
struct Speed {
    slowest: f64,
    median: f64,
    fastest: f64,
}

impl Speed {
    /// Of turns, steps a second, with so many images a step; none without turns.
    fn new(mut turns: Vec<f64>, images: usize) -> Option<Speed> {
        turns.sort_by(f64::total_cmp);
        let at = |index: usize| turns.get(index).map(|steps| steps * images as f64);
        let last = turns.len().checked_sub(1)?;
        Some(Speed { slowest: at(0)?, median: at(last / 2)?, fastest: at(last)? })
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ({:.0} to {:.0})", self.median, self.slowest, self.fastest)
    }
}

/// This side: image `i` is compared with `i ^ 1` (its own kind) and `i + 2` (another).
struct Trainer {
    net: Net,
    optimizer: ModuleOptimizer,
    images: Tensor<4>,
    triplets: Vec<Triplet>,
}

impl Trainer {
    fn new(architecture: &Architecture, batch: usize) -> anyhow::Result<Trainer> {
        let device = Device::flex().autodiff();
        device.seed(1);
        let Shape { channels, height, width } = architecture.input;
        let triplet = |anchor| Triplet { anchor, positive: anchor ^ 1, negative: (anchor + 2) % batch };
        Ok(Trainer {
            net: Net::new(architecture, 1, &device)?,
            optimizer: AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.0).init(),
            images: Tensor::random([batch, channels, height, width], Distribution::Uniform(0.0, 1.0), &device),
            triplets: (0..batch).map(triplet).collect(),
        })
    }

    fn turn(&mut self) -> anyhow::Result<Turn> {
        let (start, busy) = (Instant::now(), ProcessTime::now());
        let mut steps = 0;
        while start.elapsed().as_secs_f64() < TURN {
            let embeddings = self.net.get_embedding(self.images.clone());
            let loss = triplet(squared_distances(embeddings), &self.triplets, MARGIN);
            let value: f32 = loss.clone().into_scalar();
            ensure!(value.is_finite(), "the loss is {value}: training has diverged");
            let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
            self.net = self.optimizer.step(1e-3, self.net.clone(), gradients);
            steps += 1;
        }
        Ok(Turn {
            steps: f64::from(steps),
            seconds: start.elapsed().as_secs_f64(),
            processor_seconds: busy.elapsed().as_secs_f64(),
        })
    }
}

/// The other side, a process of its own that waits while it is not asked.
struct Torch {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    version: String,
    parameters: Vec<(String, u64)>,
}

impl Torch {
    fn start(python: &Path, batch: usize, threads: usize) -> anyhow::Result<Torch> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/referee/train_speed.py");
        let mut child = Command::new(python)
            .args(["-W", "ignore", script, &batch.to_string(), &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be run: name a Python with --python", python.display()))?;
        let input = child.stdin.take().context("the child has no standard input")?;
        let output = child.stdout.take().context("the child has no standard output")?;
        let lines = BufReader::new(output).lines();
        let mut torch = Torch { child, input, lines, version: String::new(), parameters: Vec::new() };
        for _ in 0..3 {
            let line = torch.line()?;
            match line.split_once(' ').context("PyTorch's side does not say what it has")? {
                ("version", version) => torch.version = version.to_string(),
                (name, count) => torch.parameters.push((name.to_string(), count.parse()?)),
            }
        }
        Ok(torch)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        match self.lines.next() {
            Some(line) => Ok(line?),
            None => bail!("PyTorch's side ended early: what it printed above says why"),
        }
    }

    /// Both sides must have the same parameters.
    fn expect(&self, name: &str, count: u64) -> anyhow::Result<()> {
        let found = self.parameters.iter().find(|(other, _)| other == name);
        let (_, theirs) = found.with_context(|| format!("PyTorch's side has no net {name}"))?;
        ensure!(*theirs == count, "the net {name} has {count} parameters here and {theirs} in PyTorch");
        Ok(())
    }

    fn turn(&mut self, name: &str) -> anyhow::Result<Turn> {
        writeln!(self.input, "{name} {TURN}")?;
        let line = self.line()?;
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [steps, seconds, processor_seconds] = numbers[..] else {
            bail!("PyTorch's side answers {line:?}");
        };
        Ok(Turn { steps, seconds, processor_seconds })
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
