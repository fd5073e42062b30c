//! Whether a graph is of the form that Doppel writes: known operators, every reference backwards, every size as stated.
//!
//! Every tensor's shape is computed from node to node, so the library that runs the graph afterwards meets no surprise.

use std::collections::HashMap;

use shared::bundle::Header;
use shared::geometry::{MAX_ELEMENTS, steps};
use thiserror::Error;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::{INPUT, OPSET, OUTPUT};

/// Most nodes of a graph.
const MAX_NODES: usize = 1024;
/// Most multiplications of a layer.
const MAX_MACS: u64 = 1 << 32;

/// What in a graph is not of Doppel's form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GraphError {
    /// The model as a whole.
    #[error("{0}")]
    Model(&'static str),
    /// A constant.
    #[error("the constant `{name}` {fault}")]
    Constant {
        /// The constant's name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A node.
    #[error("the node `{name}` of type {operator} {fault}")]
    Node {
        /// The node's name.
        name: String,
        /// Its operator.
        operator: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Tensor {
    kind: DataType,
    shape: Vec<u64>,
    constant: bool,
}

impl Tensor {
    fn is_activation(&self, kind: DataType) -> bool {
        !self.constant && self.kind == kind
    }

    fn is_constant(&self, kind: DataType, shape: &[u64]) -> bool {
        self.constant && self.kind == kind && self.shape == shape
    }

    fn is_scalar(&self, kind: DataType) -> bool {
        self.is_constant(kind, &[]) || self.is_constant(kind, &[1])
    }
}

/// Checks `model`, which belongs to `header`.
pub(super) fn check(model: &ModelProto, header: &Header) -> Result<(), GraphError> {
    let graph = model.graph.as_ref().ok_or(GraphError::Model("it is empty"))?;
    let plain = model.training_info.is_empty() && model.functions.is_empty() && graph.sparse_initializer.is_empty();
    if !plain {
        return Err(GraphError::Model("it has functions or sparse constants"));
    }
    match model.opset_import.as_slice() {
        [set] if set.version == OPSET && ["", "ai.onnx"].contains(&set.domain.as_str()) => {}
        _ => return Err(GraphError::Model("it is of another operator set")),
    }
    if graph.node.len() > MAX_NODES {
        return Err(GraphError::Model("it has too many nodes"));
    }
    let mut tensors = HashMap::new();
    for constant in &graph.initializer {
        let tensor =
            read_constant(constant).map_err(|fault| GraphError::Constant { name: constant.name.clone(), fault })?;
        define(&mut tensors, &constant.name, tensor)?;
    }
    let input = header.input();
    let shape = [1, input.channels, input.height, input.width];
    let shape = shape.map(u64::from);
    if shape.iter().product::<u64>() > MAX_ELEMENTS {
        return Err(GraphError::Model("its input is larger than any Doppel model's"));
    }
    let input = activation(DataType::Int8, shape.to_vec());
    let output = activation(DataType::Int8, vec![1, u64::from(header.dim)]);
    match (graph.input.as_slice(), graph.output.as_slice()) {
        ([i], [o]) if is_declared(i, INPUT, &input) && is_declared(o, OUTPUT, &output) => {}
        _ => {
            return Err(GraphError::Model("its input or output is not what its metadata says"));
        }
    }
    define(&mut tensors, INPUT, input)?;
    follow(graph, &mut tensors)?;
    match tensors.get(OUTPUT) {
        Some(tensor) if *tensor == output => Ok(()),
        _ => Err(GraphError::Model("its output is not of the shape that it declares")),
    }
}

/// Computes the tensors of every node.
fn follow(graph: &GraphProto, tensors: &mut HashMap<String, Tensor>) -> Result<(), GraphError> {
    for node in &graph.node {
        let error = |fault| GraphError::Node { name: node.name.clone(), operator: node.op_type.clone(), fault };
        let inputs: Vec<&Tensor> = node
            .input
            .iter()
            .map(|name| tensors.get(name))
            .collect::<Option<_>>()
            .ok_or(error("reads a tensor that no earlier node wrote"))?;
        let output = infer(node, &inputs).map_err(error)?;
        if output.shape.iter().product::<u64>() > MAX_ELEMENTS {
            return Err(error("gives a tensor that is too large"));
        }
        let [name] = node.output.as_slice() else {
            return Err(error("does not have one output"));
        };
        define(tensors, name, output)?;
    }
    Ok(())
}

fn define(tensors: &mut HashMap<String, Tensor>, name: &str, tensor: Tensor) -> Result<(), GraphError> {
    let fresh = !name.is_empty() && tensors.insert(name.to_string(), tensor).is_none();
    fresh.then_some(()).ok_or(GraphError::Model("two of its tensors have the same name, or none"))
}

fn activation(kind: DataType, shape: Vec<u64>) -> Tensor {
    Tensor { kind, shape, constant: false }
}

fn read_constant(tensor: &TensorProto) -> Result<Tensor, &'static str> {
    let kind = DataType::try_from(tensor.data_type).map_err(|_| "is of an unknown type")?;
    let size = match kind {
        DataType::Int8 => 1,
        DataType::Int32 | DataType::Float => 4,
        _ => return Err("is of a type that no layer takes"),
    };
    let shape: Vec<u64> = tensor
        .dims
        .iter()
        .map(|&n| u64::try_from(n).ok().filter(|&n| (1..=MAX_ELEMENTS).contains(&n)))
        .collect::<Option<_>>()
        .filter(|shape: &Vec<u64>| shape.len() <= 4)
        .ok_or("has a side that is not possible")?;
    let elements = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n));
    let raw_only = tensor.external_data.is_empty()
        && tensor.data_location.unwrap_or(0) == 0
        && tensor.segment.is_none()
        && tensor.float_data.is_empty()
        && tensor.int32_data.is_empty()
        && tensor.int64_data.is_empty()
        && tensor.string_data.is_empty()
        && tensor.double_data.is_empty()
        && tensor.uint64_data.is_empty();
    if !raw_only || elements.and_then(|n| n.checked_mul(size)) != Some(tensor.raw_data.len() as u64) {
        return Err("does not hold the bytes that its shape asks for");
    }
    let finite = |bytes: &[u8]| bytes.try_into().is_ok_and(|bytes| f32::from_le_bytes(bytes).is_finite());
    if kind == DataType::Float && !tensor.raw_data.chunks(4).all(finite) {
        return Err("holds a number that is not finite");
    }
    Ok(Tensor { kind, shape, constant: true })
}

/// Whether a graph's input or output is declared as `name` with the type and shape of `tensor`.
fn is_declared(info: &ValueInfoProto, name: &str, tensor: &Tensor) -> bool {
    let Some(Type::TensorType(declared)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return false;
    };
    let sides = declared.shape.iter().flat_map(|shape| &shape.dim);
    let sides: Vec<_> = sides.map(|side| side.value.clone()).collect();
    let expected = tensor.shape.iter();
    info.name == name
        && declared.elem_type == tensor.kind as i32
        && sides == expected.map(|&n| Some(Dimension::DimValue(n as i64))).collect::<Vec<_>>()
}

/// The output of `node`.
fn infer(node: &NodeProto, inputs: &[&Tensor]) -> Result<Tensor, &'static str> {
    use DataType::{Float, Int8};
    const WRONG: &str = "has inputs that are not of its form";
    if !node.domain.is_empty() {
        return Err("is of a foreign domain");
    }
    let keep = |kind, x: &Tensor| Ok(activation(kind, x.shape.clone()));
    match (node.op_type.as_str(), inputs) {
        ("QLinearConv", inputs) => convolution(node, inputs),
        ("Flatten", [x]) if !x.constant => {
            allow(node, &["axis"])?;
            match (x.shape.as_slice(), ints(node, "axis")?.as_deref()) {
                ([1, rest @ ..], None | Some([1])) => Ok(activation(x.kind, vec![1, rest.iter().product()])),
                _ => Err(WRONG),
            }
        }
        ("DequantizeLinear", [x, scale, zero]) => {
            allow(node, &[])?;
            let sound = x.is_activation(Int8) && scale.is_scalar(Float) && zero.is_scalar(Int8);
            if sound { keep(Float, x) } else { Err(WRONG) }
        }
        ("QuantizeLinear", [x, scale, zero]) => {
            allow(node, &[])?;
            let sound = x.is_activation(Float) && scale.is_scalar(Float) && zero.is_scalar(Int8);
            if sound { keep(Int8, x) } else { Err(WRONG) }
        }
        ("LeakyRelu", [x]) if x.is_activation(Float) => {
            allow(node, &["alpha"])?;
            keep(Float, x)
        }
        ("Clip", [x, bounds @ ..]) if x.is_activation(Int8) && bounds.len() <= 2 => {
            allow(node, &[])?;
            let sound = bounds.iter().all(|bound| bound.is_scalar(Int8));
            if sound { keep(Int8, x) } else { Err(WRONG) }
        }
        ("Flatten" | "DequantizeLinear" | "QuantizeLinear" | "LeakyRelu" | "Clip", _) => Err(WRONG),
        _ => Err("is of an operator that Doppel does not write"),
    }
}

/// `x [1, c, h, w]`, `w [outputs, c / group, rows, columns]`, in gauge form: `x_scale`, `y_scale` and the zero points are
/// scalars, `w_scale` and the bias have one element an output, the weights' zero point is one or as many.
fn convolution(node: &NodeProto, inputs: &[&Tensor]) -> Result<Tensor, &'static str> {
    use DataType::{Float, Int8, Int32};
    const WRONG: &str = "has inputs that are not of its form";
    allow(node, &["kernel_shape", "strides", "pads", "dilations", "group"])?;
    let (&[x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero], bias) =
        inputs.split_first_chunk::<8>().ok_or(WRONG)?;
    let (&[1, channels, height, width], &[outputs, inner, rows, columns]) = (x.shape.as_slice(), w.shape.as_slice())
    else {
        return Err(WRONG);
    };
    let typed = x.is_activation(Int8)
        && x_scale.is_scalar(Float)
        && x_zero.is_scalar(Int8)
        && w.is_constant(Int8, &[outputs, inner, rows, columns])
        && (w_scale.is_constant(Float, &[outputs]) || w_scale.is_scalar(Float))
        && (w_zero.is_constant(Int8, &[outputs]) || w_zero.is_scalar(Int8))
        && y_scale.is_scalar(Float)
        && y_zero.is_scalar(Int8)
        && match bias {
            [] => true,
            [bias] => bias.is_constant(Int32, &[outputs]),
            _ => false,
        };
    let attribute = |name, default: &[i64]| -> Result<Vec<u64>, &'static str> {
        let values = ints(node, name)?.unwrap_or_else(|| default.to_vec());
        let small = |&value: &i64| u64::try_from(value).ok().filter(|&value| value <= 255);
        let fits = values.iter().filter_map(small).collect::<Vec<_>>();
        (fits.len() == default.len()).then_some(fits).ok_or("has an attribute out of bounds")
    };
    let group = match ints(node, "group")?.as_deref() {
        None | Some([1]) => 1,
        Some(&[group]) if group as u64 == channels => channels,
        _ => return Err("has an attribute out of bounds"),
    };
    let kernel = attribute("kernel_shape", &[rows as i64, columns as i64])?;
    let (strides, dilations) = (attribute("strides", &[1, 1])?, attribute("dilations", &[1, 1])?);
    let pads = attribute("pads", &[0; 4])?;
    let grouped = group.checked_mul(inner) == Some(channels) && outputs % group == 0;
    if !typed || !grouped || kernel != [rows, columns] || dilations != [1, 1] {
        return Err(WRONG);
    }
    let side = |side: u64, before: u64, after: u64, kernel: u64, stride: u64| {
        steps(u16::try_from(side).ok()?, before as u8, after as u8, kernel as u8, stride as u8).map(u64::from)
    };
    let sides =
        (side(height, pads[0], pads[2], kernel[0], strides[0]), side(width, pads[1], pads[3], kernel[1], strides[1]));
    let (Some(out_height), Some(out_width)) = sides else {
        return Err("has a kernel that does not fit its input");
    };
    let macs =
        [out_height, out_width, inner, rows, columns].iter().try_fold(outputs, |product, &n| product.checked_mul(n));
    match macs {
        Some(macs) if macs <= MAX_MACS => Ok(activation(Int8, vec![1, outputs, out_height, out_width])),
        _ => Err("asks for too much work"),
    }
}

/// Whether `node` has no other attributes than `names`, and none of them twice.
fn allow(node: &NodeProto, names: &[&str]) -> Result<(), &'static str> {
    let mut seen: Vec<&str> = vec![];
    for attribute in &node.attribute {
        let name = attribute.name.as_str();
        if !names.contains(&name) || seen.contains(&name) {
            return Err("has an attribute that Doppel does not write");
        }
        seen.push(name);
    }
    Ok(())
}

/// The integers of attribute `name`: a list, or one as a list of one.
fn ints(node: &NodeProto, name: &str) -> Result<Option<Vec<i64>>, &'static str> {
    use tract_onnx::pb::attribute_proto::AttributeType;
    let Some(attribute) = node.attribute.iter().find(|a| a.name == name) else {
        return Ok(None);
    };
    match AttributeType::try_from(attribute.r#type) {
        Ok(AttributeType::Int) => Ok(Some(vec![attribute.i])),
        Ok(AttributeType::Ints) => Ok(Some(attribute.ints.clone())),
        _ => Err("has an attribute of another type"),
    }
}

#[cfg(test)]
mod tests {
    use shared::bundle::NAME_LEN;
    use shared::embedding::Metric;
    use shared::frontend::Pixels;
    use tract_onnx::pb::OperatorSetIdProto;

    use super::*;

    fn header(height: u16, width: u16, channels: u8) -> Header {
        Header {
            model_id: 7,
            name: [0; NAME_LEN],
            frontend: Pixels { width, height, channels, invert: false, stretch: false }.into(),
            metric: Metric::Euclidean,
            dim: 4,
            arena: 64,
            input_at: 0,
            embedding_scale: 1.0,
            spread: None,
            threshold: None,
        }
    }

    #[test]
    fn an_input_larger_than_any_tensor_is_refused() {
        let opset = OperatorSetIdProto { version: OPSET, ..OperatorSetIdProto::default() };
        let graph = Some(GraphProto::default());
        let model = ModelProto { opset_import: vec![opset], graph, ..ModelProto::default() };
        let large = Err(GraphError::Model("its input is larger than any Doppel model's"));
        assert_eq!(check(&model, &header(8192, 8193, 1)), large);
        assert_eq!(check(&model, &header(u16::MAX, u16::MAX, u8::MAX)), large);
        // The largest one is only missed in the graph.
        assert_ne!(check(&model, &header(8192, 8192, 1)), large);
    }
}
