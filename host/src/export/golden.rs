//! The golden vectors of a model: real samples with everything that must come out of them, and a script of decisions.

use std::collections::HashMap;

use shared::bundle::Bundle;
use shared::gallery::{Gallery, Template};
use shared::golden::{self, Outcome, Sample, Step, label};

use crate::data::{Dataset, input_tensor};
use crate::evaluate::Embedded;

/// How many identities go in, and samples of each, the first of which enrols: as many as there is room for.
const SIZES: [(usize, usize); 7] = [(IDENTITIES, SAMPLES), (IDENTITIES, 3), (6, 3), (6, 2), (4, 2), (3, 2), (2, 2)];
/// The most identities that go in.
const IDENTITIES: usize = 8;
/// The most samples of each.
const SAMPLES: usize = 4;
/// The first so many of them are enrolled, but for one at least; the others are strangers.
const ENROLLED: usize = 5;
/// Bytes of the smallest slot of a board, which the file shares with the bundle.
const SLOT: usize = 128 << 10;

/// The golden file of `bundle`, from the first identities of `data`, which `embedded` holds in the same order: with the bundle as
/// large as fits a slot, else by itself, else the smallest.
pub(super) fn encode(bundle: &Bundle<'_>, data: &Dataset, embedded: &Embedded) -> Result<Vec<u8>, golden::WriteError> {
    let frontend = bundle.header().frontend;
    let groups = first(&embedded.by_identity(), IDENTITIES, SAMPLES);
    // These samples were embedded, so the front end takes them.
    let tensor = |&index: &usize| (index, input_tensor(&frontend, &data.samples[index].raw).unwrap_or_default());
    let tensors: HashMap<usize, Vec<u8>> = groups.iter().flatten().map(tensor).collect();
    let sample = |&index: &usize| Sample {
        raw: data.samples[index].raw.as_raw(),
        input: &tensors[&index],
        embedding: embedded.vector(index).unwrap_or_default(),
    };
    let vectors = SIZES.map(|(identities, samples)| {
        let groups = first(&groups, identities, samples);
        let samples: Vec<Sample<'_>> = groups.iter().flatten().map(sample).collect();
        let steps = script(bundle, &groups, &samples);
        (golden::encoded_len(&samples, &steps), samples, steps)
    });
    let largest = |room: usize| vectors.iter().find(|(len, ..)| *len <= room);
    let beside = SLOT.saturating_sub(bundle.bytes().len().next_multiple_of(4));
    let [.., smallest] = &vectors;
    let (len, samples, steps) = largest(beside).or_else(|| largest(SLOT)).unwrap_or(smallest);
    let mut bytes = vec![0; *len];
    golden::encode(bundle.header().model_id, samples, steps, &mut bytes)?;
    Ok(bytes)
}

/// The first so many of `groups`, and of each the first so many.
fn first(groups: &[Vec<usize>], identities: usize, samples: usize) -> Vec<Vec<usize>> {
    groups.iter().take(identities).map(|group| group.iter().take(samples).copied().collect()).collect()
}

/// Enrols the first identities, verifies and identifies every other sample, deletes one identity and tries it again.
fn script(bundle: &Bundle<'_>, groups: &[Vec<usize>], samples: &[Sample<'_>]) -> Vec<Step> {
    let mut steps = vec![];
    let Some(mut gallery) = Gallery::<IDENTITIES, { shared::embedding::MAX_DIM }>::new(bundle.header()) else {
        return steps;
    };
    // Where each identity's samples start among the golden ones.
    let starts: Vec<usize> =
        groups.iter().scan(0, |at, group| Some(std::mem::replace(at, *at + group.len()))).collect();
    let enrolled = ENROLLED.min(groups.len().saturating_sub(1));
    let identify = |gallery: &Gallery<IDENTITIES, _>, sample: usize| Step::Identify {
        sample: sample as u16,
        outcome: Outcome::of(&gallery.identify(samples[sample].embedding)),
    };
    steps.push(identify(&gallery, 0));
    for (identity, &sample) in starts.iter().enumerate().take(enrolled) {
        // A fresh gallery with room takes a new label with the model's own embedding.
        let _ = gallery.enrol(Template::of_one(&label(identity as u16), samples[sample].embedding));
        steps.push(Step::Enrol { sample: sample as u16, identity: identity as u16 });
    }
    for (sample, probe) in samples.iter().enumerate() {
        for identity in 0..enrolled {
            if let Ok(decision) = gallery.verify(&label(identity as u16), probe.embedding)
                && let Some(outcome) = Outcome::of(&decision)
            {
                steps.push(Step::Verify { sample: sample as u16, outcome });
            }
        }
        steps.push(identify(&gallery, sample));
    }
    if gallery.delete(&label(0)).is_ok() {
        steps.push(Step::Delete { identity: 0 });
        steps.push(identify(&gallery, 0));
    }
    steps
}
