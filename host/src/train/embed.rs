//! Embeddings of input tensors by a network in inference.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Tensors;
use crate::loss::normalize;
use crate::net::Net;
use crate::recipe::Metric;

/// Images that are embedded at once.
const BATCH: usize = 250;

/// Input tensors, CHW, as the network takes them: `[n, height, width, channels]`, byte `t` as `t / 255`.
pub(super) fn images(bytes: &[u8], shape: crate::data::Shape, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = bytes.iter().map(|&t| f32::from(t) / 255.0).collect();
    let n = bytes.len() / shape.bytes().max(1);
    let planes = [n, shape.channels, shape.height, shape.width];
    Tensor::<4>::from_data(TensorData::new(values, planes), device).permute([0, 2, 3, 1])
}

/// The embeddings of all tensors, `[n][d]`, of length 1 where the metric is the cosine.
pub(super) fn embed_bytes(net: &Net, tensors: &Tensors, metric: Metric) -> Vec<f32> {
    let device = net.device();
    let mut all = Vec::new();
    for bytes in tensors.data.chunks(BATCH * tensors.shape.bytes().max(1)) {
        let embeddings = net.embed_rows(images(bytes, tensors.shape, &device));
        let embeddings = match metric {
            Metric::Euclidean => embeddings,
            Metric::Cosine => normalize(embeddings),
        };
        all.extend(embeddings.to_data().iter::<f32>());
    }
    all
}
