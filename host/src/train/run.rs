//! The loop.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use shared::frontend::{FrontEnd, Pixels};

use crate::data::{Batch, Batching, Classes, DataError, MixedData, Shape, Tensors, TrainingData};
use crate::net::Net;
use crate::recipe::{self, Also, Data, Keep, Metric, Phase, Recipe, Validation};

use super::average::Average;
use super::checkpoint::{self, Checkpoint, Kind, Learning, State};
use super::embed::images;
use super::log::{EVERY, Line, Log};
use super::monitor::Monitor;
use super::objective::{Judged, Objective};
use super::schedule::learning_rate;
use super::validation::ValidationSet;
use super::workplace::Workplace;
use super::{Event, TrainError, Trained};

/// Batches that are made ahead of the training steps.
const AHEAD: usize = 2;

type Observer<'a> = &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>;

/// Everything of a run that outlives a phase.
struct Run<'a> {
    recipe: &'a Recipe,
    place: Workplace,
    device: Device,
    validation: ValidationSet,
    log: Log,
    state: State,
}

/// Trains on `device`, which has autodiff. The model's folder is as it was until all data is loaded and the first batch dealt.
pub(super) fn run(
    recipe: &Recipe,
    folder: &Path,
    resume: bool,
    device: Device,
    observer: Observer<'_>,
) -> Result<(), TrainError> {
    recipe.check()?;
    let fresh = Net::new(&recipe.architecture(), recipe.seed, &device)?;
    let found = match resume {
        true => found(recipe, folder, &fresh)?,
        false => None,
    };
    if resume && found.is_none() {
        let _ = observer(Event::Warning("there is no checkpoint to go on from, so training starts at its beginning"));
    }
    let validation = load_validation(recipe)?;
    let (state, mut net, kept) = match found {
        Some((state, net, kept)) => (state, net, Some(kept)),
        None => {
            let state = State {
                architecture: recipe.architecture(),
                recipe: recipe.fingerprint(),
                step: 0,
                phase: 0,
                step_in_phase: 0,
                best: None,
                improved: 0,
                network: 0,
            };
            (state, started(recipe, folder, fresh)?, None)
        }
    };
    let mut data = load_phase(recipe, &state)?;
    let place = match kept {
        Some(_) => Workplace::resume(folder),
        None => Workplace::beside(folder, recipe)?,
    };
    let log = Log::open(place.folder(), state.step)?;
    let mut run = Run { recipe, place, device, validation, log, state };
    let mut kept = kept.filter(|_| run.state.step_in_phase > 0);
    while run.state.phase < recipe.phases.len() {
        let data = match data.take() {
            Some(data) => Some(data),
            None => load_phase(recipe, &run.state)?,
        };
        net = run.phase(net, data, kept.take(), observer)?;
    }
    Ok(())
}

/// The checkpoint in `folder` that a training by `recipe` goes on from; none where nothing was trained there.
fn found(recipe: &Recipe, folder: &Path, fresh: &Net) -> Result<Option<(State, Net, Checkpoint)>, TrainError> {
    if !checkpoint::exists(folder, Kind::Last)? {
        return match checkpoint::exists(folder, Kind::Best)? {
            true => Err(TrainError::NothingToResume { folder: folder.to_path_buf() }),
            false => Ok(None),
        };
    }
    let earlier = Recipe::load(&folder.join(recipe::FILE_NAME))?;
    match earlier.first_difference(recipe) {
        Some(key) => Err(TrainError::OtherRecipe { folder: folder.to_path_buf(), key }),
        None => {
            let found = checkpoint::load(folder, Kind::Last, &earlier.fingerprint(), fresh.clone())?;
            Ok(found.map(|(mut state, net, path)| {
                // Kept by a program that did not count it.
                if state.improved == 0 {
                    state.improved = state.best.map_or(0, |(_, step)| step);
                }
                (state, net, path)
            }))
        }
    }
}

/// `fresh` with the weights of the model that the recipe starts from, if it names one: of all layers but the last, whose size is
/// the embedding's, and of that where it fits.
fn started(recipe: &Recipe, model: &Path, fresh: Net) -> Result<Net, TrainError> {
    let Some(folder) = &recipe.net.start else {
        return Ok(fresh);
    };
    if let (Ok(start), Ok(model)) = (folder.canonicalize(), model.canonicalize())
        && start == model
    {
        return Err(TrainError::OwnStart { folder: folder.clone() });
    }
    let other = Trained::load(folder)?.net;
    let inner = |net: &Net| net.architecture().layers.split_last().map(|(_, inner)| inner.to_vec());
    match inner(&other) == inner(&fresh) {
        true => Ok(fresh.with_numbers(&other.numbers())),
        false => Err(TrainError::OtherStart { folder: folder.clone() }),
    }
}

fn fresh_optimizer(recipe: &Recipe) -> ModuleOptimizer {
    AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(recipe.optimizer.weight_decay).init()
}

fn load_validation(recipe: &Recipe) -> Result<ValidationSet, TrainError> {
    let tensors = Tensors::new(&recipe.threshold_part()?, &recipe.front_end())?;
    let validation = &recipe.validation;
    let set = ValidationSet::new(&tensors, validation.samples, validation.pairs, recipe.seed);
    match set.is_empty() {
        true => Err(TrainError::NothingToValidate { source_name: recipe.data.source.to_string() }),
        false => Ok(set),
    }
}

/// The recipe's training data, of all its sources.
fn load_training(recipe: &Recipe, batching: Batching) -> Result<MixedData, TrainError> {
    let Data { source, split, world, also, .. } = &recipe.data;
    let main = TrainingData::load(source, split, *world, recipe.front_end(), batching)?;
    let load = |also: &Also| {
        let front = match recipe.front_end() {
            FrontEnd::Pixels(pixels) => FrontEnd::Pixels(Pixels { invert: also.invert, ..pixels }),
            sound => sound,
        };
        let classes = Classes { rotations: also.rotations_as_classes, ..Classes::default() };
        let batching = Batching { classes, sampling: also.sampling, ..batching };
        TrainingData::load_all(&also.source, &also.identities, *world, front, batching)
    };
    let also = also.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    Ok(MixedData::new(main, also))
}

/// The training data of the phase that `state` is in, from which a batch could be dealt; none behind the last phase.
fn load_phase(recipe: &Recipe, state: &State) -> Result<Option<MixedData>, TrainError> {
    let Some(batching) = recipe.batching(state.phase) else {
        return Ok(None);
    };
    let data = load_training(recipe, batching)?;
    data.batches_from(state.step_in_phase).next().transpose()?;
    Ok(Some(data))
}

impl Run<'_> {
    /// Trains one phase to its end on `data`, from a checkpoint within it if one is given.
    fn phase(
        &mut self,
        net: Net,
        data: Option<MixedData>,
        kept: Option<Checkpoint>,
        observer: Observer<'_>,
    ) -> Result<Net, TrainError> {
        let number = self.state.phase;
        let (Some(phase), Some(data)) = (self.recipe.phases.get(number), data) else {
            return Ok(net);
        };
        let all = data.batches().saturating_mul(phase.epochs);
        let steps = if phase.steps > 0 { all.min(phase.steps) } else { all };
        let first = self.state.step_in_phase;
        // The data may have become less since the checkpoint was kept.
        if first >= steps {
            self.state.phase += 1;
            self.state.step_in_phase = 0;
            return Ok(net);
        }
        let device = self.device.clone();
        let metric = self.recipe.net.metric;
        let (classes, d) = (data.identities(), self.recipe.net.embedding);
        let mut objective =
            Objective::new(phase, metric, classes, d, self.recipe.seed.wrapping_add(number as u64), &device);
        let mut optimizer = fresh_optimizer(self.recipe);
        let mut average = Average::new(self.recipe.optimizer.average, &net);
        if let Some(kept) = kept {
            if average.is_some() {
                average = Average::new(self.recipe.optimizer.average, &kept.average(net.valid())?);
            }
            optimizer = kept.optimizer(optimizer)?;
            objective.head = objective.head.map(|head| kept.head(head)).transpose()?;
        }
        thread::scope(|scope| {
            let (sender, batches) = sync_channel(AHEAD);
            let shape = data.shape();
            scope.spawn(move || {
                for batch in data.batches_from(first).take(steps - first) {
                    // The receiver goes when training stops.
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            });
            let mut stepper = Stepper {
                net,
                average,
                optimizer,
                phase: *phase,
                metric,
                objective,
                seed: self.recipe.seed,
                shape,
                device,
                monitor: Monitor::new(&phase.loss),
            };
            self.steps(&mut stepper, steps, batches, observer)?;
            Ok(stepper.net)
        })
    }

    fn steps(
        &mut self,
        stepper: &mut Stepper,
        steps: usize,
        batches: Receiver<Result<Batch, DataError>>,
        observer: Observer<'_>,
    ) -> Result<(), TrainError> {
        let number = self.state.phase;
        let every = self.recipe.validation.every_steps;
        let mut recent = Recent::new();
        let mut told = false;
        for step in self.state.step_in_phase..steps {
            // The sender has exactly the batches of this phase.
            let Ok(batch) = batches.recv() else { break };
            let batch = batch?;
            if !told {
                told = true;
                let event = Event::Phase { phase: number, done: step, steps, batch: batch.identities.len() };
                let _ = observer(event);
            }
            let rate = stepper.learning_rate(step, steps);
            let (loss, warning) = stepper.step(&batch, self.state.step as u64, step, rate);
            self.state.step += 1;
            self.state.step_in_phase = step + 1;
            if !loss.is_finite() {
                let step = self.state.step;
                return Err(TrainError::Diverged { step, loss });
            }
            recent.add(loss, batch.identities.len());
            if let Some(warning) = warning {
                let _ = observer(Event::Warning(&warning));
            }
            let stop = observer(Event::Step { phase: number, step: step + 1, loss }).is_break();
            let last = step + 1 == steps;
            let due = (step + 1) % every == 0 || last;
            if (step + 1) % EVERY == 0 || due || stop {
                let mut line = Line::new(number, self.state.step);
                line.loss = Some(recent.since_line());
                line.learning_rate = Some(rate);
                self.log.steps(line, recent.images, recent.since.elapsed())?;
                recent.start_line();
            }
            if due {
                let ended = self.measure(stepper, last, recent.since_measurement(), observer)?;
                recent.start_measurement();
                if ended {
                    break;
                }
            }
            if stop && !last {
                // A measurement that training without the stop would not make could choose another network.
                if !due {
                    if self.place.would_replace() {
                        let folder = self.place.model().to_path_buf();
                        return Err(TrainError::Abandoned { step: self.state.step, folder });
                    }
                    let none_kept = !checkpoint::exists(self.place.folder(), Kind::Best)?;
                    self.keep(stepper, &stepper.averaged(), none_kept)?;
                }
                return Err(TrainError::Stopped { step: self.state.step, folder: self.place.model().to_path_buf() });
            }
        }
        Ok(())
    }

    /// Measures the equal error rate and keeps checkpoints; whether the phase ends, after its last step or early.
    fn measure(
        &mut self,
        stepper: &Stepper,
        last: bool,
        loss: f32,
        observer: Observer<'_>,
    ) -> Result<bool, TrainError> {
        let averaged = stepper.averaged();
        let eer = self.validation.eer(&averaged, stepper.metric).unwrap_or(1.0);
        let phase_started = self.state.step - self.state.step_in_phase;
        // A phase is measured by itself, so that the network that is kept is of the last one.
        let best = self.state.best.filter(|(_, step)| *step > phase_started);
        let lowest = best.is_none_or(|(lowest, _)| eer <= lowest);
        let kept = lowest || self.recipe.validation.keep == Keep::Last;
        let (number, step) = (self.state.phase, self.state.step_in_phase);
        let mut line = Line::new(number, self.state.step);
        line.eer = Some(eer);
        self.log.write(&line)?;
        if best.is_none_or(|(lowest, _)| eer < lowest) {
            self.state.improved = self.state.step;
        }
        if lowest {
            self.state.best = Some((eer, self.state.step));
        }
        let since = self.state.step - self.state.improved.max(phase_started);
        let Validation { patience, every_steps, .. } = self.recipe.validation;
        let last = last || (patience > 0 && since >= patience.saturating_mul(every_steps));
        if last {
            self.state.phase += 1;
            self.state.step_in_phase = 0;
        }
        self.keep(stepper, &averaged, kept)?;
        let event = Event::Validation { phase: number, step, loss, eer, lowest, kept };
        let _ = observer(event);
        Ok(last)
    }

    /// Keeps a checkpoint to go on from, and, if `kept`, `averaged` as the network that inference uses.
    fn keep(&mut self, stepper: &Stepper, averaged: &Net, kept: bool) -> Result<(), TrainError> {
        let folder = self.place.folder();
        if kept {
            checkpoint::save(folder, Kind::Best, &self.state, averaged, None)?;
        }
        let head = stepper.objective.head.as_ref();
        let average = stepper.average.as_ref().map(|_| averaged);
        let learning = Some(Learning { optimizer: &stepper.optimizer, head, average });
        checkpoint::save(folder, Kind::Last, &self.state, &stepper.net, learning)?;
        self.place.publish()
    }
}

/// What a training step works on.
struct Stepper {
    net: Net,
    average: Option<Average>,
    optimizer: ModuleOptimizer,
    phase: Phase,
    metric: Metric,
    objective: Objective,
    seed: u64,
    shape: Shape,
    device: Device,
    monitor: Monitor,
}

impl Stepper {
    /// The network for inference: the average of its weights, where one is kept.
    fn averaged(&self) -> Net {
        match &self.average {
            Some(average) => average.net(&self.net),
            None => self.net.valid(),
        }
    }

    fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        let Phase { learning_rate: highest, warmup_steps, final_learning_rate, .. } = self.phase;
        learning_rate(step, steps, highest, warmup_steps, final_learning_rate)
    }

    /// One step on `batch`, number `step` of all and `step_in_phase` of its phase; the loss before it, and a sentence if training
    /// has collapsed.
    fn step(&mut self, batch: &Batch, step: u64, step_in_phase: usize, rate: f64) -> (f32, Option<String>) {
        let images = images(&batch.data, self.shape, &self.device);
        let embeddings = self.net.embed_rows(images);
        // Chance of its own for every step, so that training goes on from any step as if it had never stopped.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(step + 1);
        let Judged { loss, spread } = self.objective.judge(embeddings, &batch.identities, step_in_phase, &mut rng);
        let value: f32 = loss.clone().into_scalar();
        let warning = self.monitor.observe(value, spread);
        if value.is_finite() {
            let mut gradients = loss.backward();
            let own = GradientsParams::from_module(&mut gradients, &self.net);
            // `step` takes the network and gives it back.
            let net = self.net.clone();
            self.net = self.optimizer.step(rate, net, own);
            self.objective.step(rate, &mut gradients, &mut self.optimizer);
            if let Some(average) = &mut self.average {
                average.add(&self.net, step_in_phase);
            }
        }
        (value, warning)
    }
}

/// Means over the last steps.
struct Recent {
    line: (f64, usize),
    measurement: (f64, usize),
    images: usize,
    since: Instant,
}

impl Recent {
    fn new() -> Recent {
        Recent { line: (0.0, 0), measurement: (0.0, 0), images: 0, since: Instant::now() }
    }

    fn add(&mut self, loss: f32, images: usize) {
        for (sum, count) in [&mut self.line, &mut self.measurement] {
            *sum += f64::from(loss);
            *count += 1;
        }
        self.images += images;
    }

    fn mean((sum, count): (f64, usize)) -> f32 {
        (sum / count.max(1) as f64) as f32
    }

    fn since_line(&self) -> f32 {
        Self::mean(self.line)
    }

    fn since_measurement(&self) -> f32 {
        Self::mean(self.measurement)
    }

    fn start_line(&mut self) {
        self.line = (0.0, 0);
        self.images = 0;
        self.since = Instant::now();
    }

    /// Begins anew after a measurement, whose own time counts for no images.
    fn start_measurement(&mut self) {
        self.measurement = (0.0, 0);
        self.start_line();
    }
}
