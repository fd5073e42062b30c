//! Input tensors of a whole dataset.

use rayon::prelude::*;
use shared::frontend::{FrontEnd, FrontendError};

use super::{DataError, Dataset, RawSample};

/// Sizes of an input tensor, laid out CHW: one plane a channel, columns fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Shape {
    /// The shape that a front end gives.
    pub fn of(front: &FrontEnd) -> Self {
        let shape = front.shape();
        Shape { height: shape.height.into(), width: shape.width.into(), channels: shape.channels.into() }
    }

    /// Bytes of one tensor.
    pub fn bytes(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// The input tensors of samples, as the front end gives them: byte `t` stands for `t / 255`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensors {
    /// Sizes of one tensor.
    pub shape: Shape,
    /// All tensors, one after the other, `[samples, channels, height, width]`.
    pub data: Vec<u8>,
    /// The identity index of every sample.
    pub identities: Vec<usize>,
}

/// The input tensor of one sample.
pub fn input_tensor(front: &FrontEnd, raw: &RawSample) -> Result<Vec<u8>, FrontendError> {
    let (mut tensor, mut work) = (vec![0; front.tensor_len()], vec![0; front.work_words()]);
    front.run(raw.as_raw(), &mut tensor, &mut work)?;
    Ok(tensor)
}

impl Tensors {
    /// Runs the front end over every sample of `dataset`, in order.
    pub fn new(dataset: &Dataset, front: &FrontEnd) -> Result<Self, DataError> {
        let shape = Shape::of(front);
        let mut data = vec![0; dataset.samples.len() * shape.bytes()];
        let tensors = data.par_chunks_mut(shape.bytes().max(1)).zip(&dataset.samples);
        tensors.try_for_each_init(
            || vec![0; front.work_words()],
            |work, (tensor, sample)| match front.run(sample.raw.as_raw(), tensor, work) {
                Ok(_) => Ok(()),
                Err(source) => {
                    Err(DataError::Frontend { identity: dataset.identities[sample.identity].clone(), source })
                }
            },
        )?;
        Ok(Tensors { shape, data, identities: dataset.labels() })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The bytes of tensor `index`, CHW.
    pub fn tensor(&self, index: usize) -> &[u8] {
        let size = self.shape.bytes();
        &self.data[index * size..(index + 1) * size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Sample;
    use shared::frontend::Pixels;

    fn picture(width: u16, channels: u8, pixels: &[u8]) -> Sample {
        Sample { identity: 1, raw: RawSample::Image { width, height: 1, channels, pixels: pixels.to_vec() } }
    }

    const FRONT: FrontEnd = FrontEnd::Pixels(Pixels { width: 2, height: 1, channels: 1, invert: true, stretch: false });

    #[test]
    fn every_sample_passes_the_front_end() {
        let dataset = Dataset {
            identities: vec!["a".into(), "b".into()],
            samples: vec![picture(2, 1, &[0, 200]), picture(4, 1, &[255, 255, 10, 20])],
            ..Dataset::default()
        };
        let tensors = Tensors::new(&dataset, &FRONT).expect("fits");
        assert_eq!(tensors.data, [255, 55, 0, 240]);
        assert_eq!(tensors.tensor(1), [0, 240]);
        assert_eq!((tensors.identities.as_slice(), tensors.len()), ([1, 1].as_slice(), 2));
    }

    #[test]
    fn a_misfit_names_its_identity() {
        let samples = vec![picture(1, 3, &[1, 2, 3])];
        let dataset = Dataset { identities: vec!["a".into(), "bob".into()], samples, ..Dataset::default() };
        let error = Tensors::new(&dataset, &FRONT).expect_err("three channels");
        assert_eq!(
            error.to_string(),
            "a sample of identity `bob` does not fit the model's input: \
             the picture has 3 channels, the model takes 1"
        );
    }
}
