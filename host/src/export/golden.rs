//! The golden vectors of a model: real samples with everything that must come out of them, and a script of decisions.

use shared::bundle::Bundle;
use shared::gallery::{Gallery, Template};
use shared::golden::{self, Outcome, Sample, Step, label};

use crate::data::{Dataset, input_tensor};
use crate::evaluate::Embedded;

/// How many identities go in, and samples of each, the first of which enrols: as many as [`MOST_BYTES`] hold, or the last.
const SIZES: [(usize, usize); 7] = [(IDENTITIES, 4), (IDENTITIES, 3), (6, 3), (6, 2), (4, 2), (3, 2), (2, 2)];
/// The most identities that go in.
const IDENTITIES: usize = 8;
/// The first so many of them are enrolled, but for one at least; the others are strangers.
const ENROLLED: usize = 5;
/// Most bytes of the file, where fewer samples help: it shares a board's flash with the model.
const MOST_BYTES: usize = 128 << 10;

/// The golden file of `bundle`, from the first identities of `data`, which `embedded` holds in the same order.
pub(super) fn encode(bundle: &Bundle<'_>, data: &Dataset, embedded: &Embedded) -> Result<Vec<u8>, golden::WriteError> {
    let mut bytes = vec![];
    for (identities, samples) in SIZES {
        bytes = encode_some(bundle, data, embedded, identities, samples)?;
        if bytes.len() <= MOST_BYTES {
            break;
        }
    }
    Ok(bytes)
}

fn encode_some(
    bundle: &Bundle<'_>,
    data: &Dataset,
    embedded: &Embedded,
    identities: usize,
    samples: usize,
) -> Result<Vec<u8>, golden::WriteError> {
    let mut groups = embedded.by_identity();
    groups.truncate(identities);
    groups.iter_mut().for_each(|group| group.truncate(samples));
    let frontend = bundle.header().frontend;
    let tensors: Vec<Vec<u8>> = groups
        .iter()
        .flatten()
        .map(|&index| {
            // These samples were embedded, so the front end takes them.
            input_tensor(&frontend, &data.samples[index].raw).unwrap_or_default()
        })
        .collect();
    let samples: Vec<Sample<'_>> = groups
        .iter()
        .flatten()
        .zip(&tensors)
        .map(|(&index, input)| Sample {
            raw: data.samples[index].raw.as_raw(),
            input,
            embedding: embedded.vector(index).unwrap_or_default(),
        })
        .collect();
    let steps = script(bundle, &groups, &samples);
    let mut bytes = vec![0; golden::encoded_len(&samples, &steps)];
    golden::encode(bundle.header().model_id, &samples, &steps, &mut bytes)?;
    Ok(bytes)
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
