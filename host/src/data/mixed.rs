//! Training data of several sources: every batch holds a share of each.

use super::{Batch, DataError, Shape, TrainingData};

/// A main source, whose epochs count, and others beside it. Their identities are distinct classes.
pub struct MixedData {
    main: TrainingData,
    also: Vec<TrainingData>,
}

impl MixedData {
    /// Joins sources, whose tensors are of one shape.
    pub fn new(main: TrainingData, also: Vec<TrainingData>) -> MixedData {
        debug_assert!(also.iter().all(|other| other.shape() == main.shape()));
        MixedData { main, also }
    }

    /// Sizes of an input tensor.
    pub fn shape(&self) -> Shape {
        self.main.shape()
    }

    /// Number of classes of all sources.
    pub fn identities(&self) -> usize {
        self.main.identities() + self.also.iter().map(TrainingData::identities).sum::<usize>()
    }

    /// Batches of an epoch: those of the main source.
    pub fn batches(&self) -> usize {
        self.main.batches()
    }

    /// The batches of all epochs from batch `first` on, each the main source's with those of the others behind it; the other
    /// sources go through their own epochs.
    pub fn batches_from(&self, first: usize) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        let mut parts: Vec<_> =
            std::iter::once(&self.main).chain(&self.also).map(|part| endless(part, first)).collect();
        std::iter::from_fn(move || {
            let mut offset = 0;
            let mut whole = Batch { data: Vec::new(), identities: Vec::new() };
            for (batches, classes) in &mut parts {
                match batches.next()? {
                    Ok(batch) => {
                        whole.data.extend(batch.data);
                        whole.identities.extend(batch.identities.into_iter().map(|identity| offset + identity));
                    }
                    Err(error) => return Some(Err(error)),
                }
                offset += *classes;
            }
            Some(Ok(whole))
        })
    }
}

type Endless<'a> = (Box<dyn Iterator<Item = Result<Batch, DataError>> + 'a>, usize);

/// The batches of one source from batch `first` on, epoch after epoch, and its number of classes.
fn endless(part: &TrainingData, first: usize) -> Endless<'_> {
    let per_epoch = part.batches().max(1);
    let (epoch, skip) = (first / per_epoch, first % per_epoch);
    let batches = (epoch as u64..).flat_map(move |number| {
        let skip = if number == epoch as u64 { skip } else { 0 };
        part.epoch_from(number, skip)
    });
    (Box::new(batches), part.identities())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Tensors;
    use crate::data::augment::Augment;
    use crate::data::sound::SoundAugment;
    use crate::data::training::{Batching, Classes, Sampling};

    /// `identities` with four tensors of one byte each, `base` + the sample's number.
    fn source(identities: usize, base: u8, batch: usize) -> TrainingData {
        let tensors = Tensors {
            shape: Shape { height: 1, width: 1, channels: 1 },
            data: (0..4 * identities as u8).map(|i| base + i).collect(),
            identities: (0..4 * identities).map(|i| i / 4).collect(),
        };
        let sampling = Sampling::Balanced { identities: batch, samples: 2 };
        let batching = Batching {
            classes: Classes::default(),
            sampling,
            augment: Augment::default(),
            sound: SoundAugment::default(),
            seed: 4,
        };
        TrainingData::stored(tensors, batching).expect("fits")
    }

    #[test]
    fn a_batch_holds_its_share_of_each_source() {
        let mixed = MixedData::new(source(4, 0, 3), vec![source(6, 100, 2)]);
        assert_eq!((mixed.identities(), mixed.batches()), (10, 2));
        let batches: Vec<Batch> = mixed.batches_from(0).take(9).map(|batch| batch.expect("fits")).collect();
        for batch in &batches {
            assert_eq!(batch.identities.len(), 10);
            for (&byte, &class) in batch.data.iter().zip(&batch.identities) {
                let expected = if byte < 100 { usize::from(byte) / 4 } else { 4 + usize::from(byte - 100) / 4 };
                assert_eq!(class, expected);
            }
        }
        let later: Vec<Batch> = mixed.batches_from(5).take(4).map(|batch| batch.expect("fits")).collect();
        assert_eq!(later, batches[5..]);
    }
}
