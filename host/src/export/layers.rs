//! The error of every int8 layer against its float original, over the calibration set.

use serde::Serialize;
use shared::bundle::Bundle;
use shared::network::{self, steps};

use crate::net::{FloatNet, Stage};
use crate::quantize::Graph;

/// Samples over which errors are taken.
const SAMPLES: usize = 32;

/// One layer's size and error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// Its name.
    pub layer: String,
    /// Its output, `channels x rows x columns`.
    pub output: String,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Root mean square of `int8 - float` behind the activation, as a share of the float values' root mean square; none
    /// where the layer's output never lies in memory as a whole.
    pub error: Option<f64>,
}

/// The report of `graph`, which `bundle` runs and `net` was.
pub(super) fn report(graph: &Graph, bundle: &Bundle<'_>, net: &FloatNet, tensors: &[Vec<f32>]) -> Vec<LayerReport> {
    let count = tensors.len().min(SAMPLES);
    let mut float = vec![Vec::new(); graph.layers.len()];
    net.forward(&tensors[..count].concat(), count, |index, stage, values| {
        if stage == Stage::PostActivation {
            float[index] = values.to_vec();
        }
    });
    let mut int8 = vec![Vec::new(); graph.layers.len()];
    let mut arena = vec![0u32; network::arena_words(bundle)];
    for tensor in &tensors[..count] {
        if let Ok(input) = network::input_tensor(bundle, &mut arena) {
            for (byte, value) in input.iter_mut().zip(tensor) {
                *byte = (value * 255.0).round() as u8;
            }
        }
        let mut index = 0;
        for step in steps(bundle) {
            index += usize::from(step.front.is_some());
            step.run(&mut arena);
            let (at, layer) = (step.layer.entry.output_at as usize, &graph.layers[index]);
            let bytes = &bytemuck::cast_slice::<u32, u8>(&arena)[at..at + layer.geometry.output.len()];
            int8[index].extend(bytes.iter().map(|&byte| layer.output.real(byte)));
            index += 1;
        }
    }
    let layers = graph.layers.iter().zip(float.iter().zip(&int8));
    layers
        .map(|(layer, (float, int8))| {
            let output = layer.geometry.output;
            let (mut error, mut power) = (0.0, 0.0);
            for (&float, &int8) in float.iter().zip(int8) {
                error += f64::from(float - int8).powi(2);
                power += f64::from(float).powi(2);
            }
            LayerReport {
                layer: layer.name.clone(),
                output: format!("{}x{}x{}", output.channels, output.height, output.width),
                macs: layer.geometry.macs(),
                error: (!int8.is_empty()).then(|| (error / power.max(f64::MIN_POSITIVE)).sqrt()),
            }
        })
        .collect()
}
