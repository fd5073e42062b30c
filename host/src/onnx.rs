//! The ONNX file of a [`Graph`]: every layer a `QLinearConv` in gauge form, which every engine computes alike.
//!
//! Opset 13, IR 7. `x_scale = y_scale = 1` and `w_scale[c] = M[c]`, so the operator's own rule is the board's:
//! `y = clamp(round_ties_even(f32(acc) * M[c]) + zp_y, -128, 127)`; the true scales stand in the metadata. A fully connected layer
//! is a convolution with the input's size, an average pool a depthwise convolution of ones, ReLU the saturation at a zero point
//! of -128, LeakyReLU `DequantizeLinear -> LeakyRelu -> QuantizeLinear`. Input `input` is int8 NCHW, output `embedding` int8 `[1, d]`.

use shared::geometry::Kind;
use shared::quant::{MULTIPLIER_BITS, to_signed};
use tract_onnx::pb;

use crate::quantize::{Graph, QuantLayer};

/// Name of the input tensor.
pub const INPUT: &str = "input";
/// Name of the output tensor.
pub const OUTPUT: &str = "embedding";

/// The model of `graph`, without metadata.
pub fn model(graph: &Graph, name: &str) -> pb::ModelProto {
    let mut builder = Builder::default();
    let mut tensor = INPUT.to_string();
    for layer in &graph.layers {
        tensor = builder.layer(layer, tensor);
    }
    builder.node("Flatten", vec![tensor], OUTPUT, vec![int("axis", 1)]);
    let (first, last) = (graph.layers.first(), graph.layers.last());
    let input = first.map_or(vec![], |layer| {
        let window = layer.window;
        vec![1, window.channels as i64, window.height as i64, window.width as i64]
    });
    let output = last.map_or(vec![], |layer| vec![1, layer.bias.len() as i64]);
    pb::ModelProto {
        ir_version: 7,
        producer_name: "doppel".to_string(),
        producer_version: env!("CARGO_PKG_VERSION").to_string(),
        opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 13 }],
        graph: Some(pb::GraphProto {
            name: name.to_string(),
            node: builder.nodes,
            initializer: builder.tensors,
            input: vec![value(INPUT, &input)],
            output: vec![value(OUTPUT, &output)],
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<pb::NodeProto>,
    tensors: Vec<pb::TensorProto>,
}

impl Builder {
    /// Adds a layer that reads `input` and returns the name of what it gives.
    fn layer(&mut self, layer: &QuantLayer, input: String) -> String {
        let (name, sum) = (&layer.name, layer.sum_scale());
        let channels = layer.bias.len();
        let part = |what: &str| format!("{name}.{what}");
        let kernel = window(layer);
        let dims = [vec![channels as i64], kernel.iter().map(|&side| side as i64).collect()].concat();
        let grid = (1u32 << MULTIPLIER_BITS) as f32;
        let multipliers: Vec<f32> = layer.multipliers.iter().map(|&m| m as f32 / grid).collect();
        let one = self.floats(part("one"), &[], &[1.0]);
        let inputs = vec![
            input,
            one.clone(),
            self.bytes(part("input_zero_point"), &[], &[to_signed(layer.input.zero_point)]),
            self.bytes(part("weight"), &dims, &layer.weights),
            self.floats(part("multiplier"), &[channels as i64], &multipliers),
            self.bytes(part("weight_zero_point"), &[channels as i64], &vec![0; channels]),
            one,
            self.bytes(part("sum_zero_point"), &[], &[to_signed(sum.zero_point)]),
            self.ints(part("bias"), &[channels as i64], &layer.bias),
        ];
        let geometry = &layer.geometry;
        let depthwise =
            matches!(geometry.kind, Kind::Planar | Kind::Pool) && geometry.input.channels == geometry.output.channels;
        let groups = if depthwise { channels as i64 } else { 1 };
        let attributes = vec![
            ints("kernel_shape", &[kernel[1] as i64, kernel[2] as i64]),
            ints("strides", &[i64::from(geometry.stride); 2]),
            ints("pads", &geometry.pad.map(i64::from)),
            ints("dilations", &[1, 1]),
            int("group", groups),
        ];
        self.node("QLinearConv", inputs, name, attributes);
        let Some(table) = &layer.table else {
            return name.clone();
        };
        let ratio = self.floats(part("ratio"), &[], &[table.ratio(layer.output)]);
        let (real, leaky, byte) = (part("real"), part("leaky"), part("activation"));
        self.node("DequantizeLinear", vec![name.clone(), ratio, part("sum_zero_point")], &real, vec![]);
        let slope = pb::AttributeProto {
            name: "alpha".to_string(),
            r#type: pb::attribute_proto::AttributeType::Float as i32,
            f: table.slope,
            ..Default::default()
        };
        self.node("LeakyRelu", vec![real], &leaky, vec![slope]);
        let zero_point = self.bytes(part("output_zero_point"), &[], &[to_signed(layer.output.zero_point)]);
        self.node("QuantizeLinear", vec![leaky, part("one"), zero_point], &byte, vec![]);
        byte
    }

    fn node(&mut self, op: &str, input: Vec<String>, output: &str, attribute: Vec<pb::AttributeProto>) {
        self.nodes.push(pb::NodeProto {
            name: format!("{output}.{op}"),
            op_type: op.to_string(),
            input,
            output: vec![output.to_string()],
            attribute,
            ..Default::default()
        });
    }

    fn tensor(&mut self, name: String, kind: pb::tensor_proto::DataType, dims: &[i64], raw_data: Vec<u8>) -> String {
        let tensor = pb::TensorProto {
            name: name.clone(),
            data_type: kind as i32,
            dims: dims.to_vec(),
            raw_data,
            ..Default::default()
        };
        self.tensors.push(tensor);
        name
    }

    fn floats(&mut self, name: String, dims: &[i64], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, pb::tensor_proto::DataType::Float, dims, raw)
    }

    fn ints(&mut self, name: String, dims: &[i64], values: &[i32]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, pb::tensor_proto::DataType::Int32, dims, raw)
    }

    fn bytes(&mut self, name: String, dims: &[i64], values: &[i8]) -> String {
        self.tensor(name, pb::tensor_proto::DataType::Int8, dims, values.iter().map(|&value| value as u8).collect())
    }
}

/// The last three extents of a layer's weights, `[out][in][row][column]`: a fully connected layer is flattened on the board and
/// as large as its input here.
fn window(layer: &QuantLayer) -> [usize; 3] {
    let geometry = &layer.geometry;
    let [rows, columns] = geometry.kernel.map(usize::from);
    let input = layer.window;
    match geometry.kind {
        Kind::Planar | Kind::Pool => [1, rows, columns],
        Kind::Dense | Kind::Winograd if usize::from(geometry.input.channels) != input.channels => {
            [input.channels, input.height, input.width]
        }
        Kind::Dense | Kind::Winograd => [input.channels, rows, columns],
    }
}

fn int(name: &str, value: i64) -> pb::AttributeProto {
    let r#type = pb::attribute_proto::AttributeType::Int as i32;
    pb::AttributeProto { name: name.to_string(), r#type, i: value, ..Default::default() }
}

fn ints(name: &str, values: &[i64]) -> pb::AttributeProto {
    let r#type = pb::attribute_proto::AttributeType::Ints as i32;
    pb::AttributeProto { name: name.to_string(), r#type, ints: values.to_vec(), ..Default::default() }
}

/// An int8 input or output.
fn value(name: &str, dims: &[i64]) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |&side: &i64| Dimension { value: Some(Value::DimValue(side)), ..Default::default() };
    let tensor = pb::type_proto::Tensor {
        elem_type: pb::tensor_proto::DataType::Int8 as i32,
        shape: Some(pb::TensorShapeProto { dim: dims.iter().map(dimension).collect() }),
    };
    let r#type = pb::TypeProto { value: Some(pb::type_proto::Value::TensorType(tensor)), ..Default::default() };
    pb::ValueInfoProto { name: name.to_string(), r#type: Some(r#type), ..Default::default() }
}
