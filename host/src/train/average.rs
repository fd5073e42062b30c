//! The exponential average of a network's weights (Polyak, Juditsky 1992; the decayed form of Tarvainen, Valpola 2017).

use burn::module::Module;

use crate::net::Net;

/// The average of the weights after every step.
pub(super) struct Average {
    decay: f32,
    numbers: Vec<Vec<f32>>,
}

impl Average {
    /// Starts at `net`; `None` where `decay` is 0.
    pub(super) fn new(decay: f32, net: &Net) -> Option<Average> {
        (decay > 0.0).then(|| Average { decay, numbers: net.numbers() })
    }

    /// Takes the weights after a step in; `step` counts those of the phase. The first ones count more, so that the start is soon
    /// forgotten: the decay is at most `(1 + step) / (10 + step)`.
    pub(super) fn add(&mut self, net: &Net, step: usize) {
        let decay = self.decay.min((1.0 + step as f32) / (10.0 + step as f32));
        for (mean, new) in self.numbers.iter_mut().zip(net.numbers()) {
            for (mean, new) in mean.iter_mut().zip(new) {
                *mean += (1.0 - decay) * (new - *mean);
            }
        }
    }

    /// The averaged network, for inference.
    pub(super) fn net(&self, like: &Net) -> Net {
        like.valid().with_numbers(&self.numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Architecture, Shape};
    use burn::tensor::Device;

    #[test]
    fn averages_follow_the_weights() {
        let architecture = Architecture::compact(Shape::new(1, 12, 12), 0.5, 4);
        let net = |seed| Net::new(&architecture, seed, &Device::flex()).unwrap();
        let (start, other) = (net(1), net(2));
        assert!(Average::new(0.0, &start).is_none());
        let mut average = Average::new(0.9, &start).unwrap();
        average.add(&other, 1_000_000);
        let (from, to, got) = (start.numbers(), other.numbers(), average.net(&start).numbers());
        for ((from, to), got) in from[0].iter().zip(&to[0]).zip(&got[0]) {
            assert!((0.9 * from + 0.1 * to - got).abs() < 1e-6);
        }
        for step in 0..500 {
            average.add(&other, step);
        }
        assert!(average.numbers[0].iter().zip(&to[0]).all(|(mean, to)| (mean - to).abs() < 1e-4));
    }
}
