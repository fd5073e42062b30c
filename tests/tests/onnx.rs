//! A model's ONNX file in tract gives what its bundle gives, bit for bit; and no other file is taken for one.

use std::collections::HashSet;
use std::path::Path;

use firmware::desktop::TractEngine;
use firmware::onnx::pb::ModelProto;
use firmware::onnx::{self, OnnxError, OnnxModel};
use firmware::replay::replay;
use host::net::{Activation, Architecture, LayerSpec, Shape};
use parity::exported::{Exported, export};
use parity::inputs;
use parity::model::Aligned;
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use shared::bundle::Bundle;
use shared::golden::Golden;
use shared::network;

const INPUTS: usize = 1000;

/// A net of every operator that is small enough to be broken a thousand times.
fn small() -> Architecture {
    let conv = |out, side, depthwise, activation| LayerSpec::Conv {
        out,
        kernel: (side, side),
        stride: if side == 3 { 2 } else { 1 },
        pad: side / 2,
        depthwise,
        batch_norm: true,
        activation,
    };
    Architecture {
        input: Shape::new(1, 8, 8),
        layers: vec![
            conv(4, 3, false, Activation::LeakyRelu(0.1)),
            conv(4, 3, true, Activation::Relu),
            conv(6, 1, false, Activation::Relu),
            LayerSpec::AveragePool,
            LayerSpec::FullyConnected { out: 4 },
        ],
    }
}

/// Compares both engines on random inputs and on the golden ones; returns how many there were.
fn compare(bundle: &Bundle<'_>, onnx: &OnnxModel, golden: &Golden<'_>, count: usize) -> usize {
    assert_eq!(onnx.header(), bundle.header());
    let random = inputs::random(3, bundle.header().input().len(), count);
    let mut arena = vec![0; network::arena_words(bundle)];
    let mut count = 0;
    let mut distinct = HashSet::new();
    for input in random.chain(golden.samples().map(|sample| sample.input.to_vec())) {
        network::input_tensor(bundle, &mut arena).unwrap().copy_from_slice(&input);
        let expected = network::forward(bundle, &mut arena).unwrap();
        assert_eq!(onnx.run(&input).unwrap(), expected, "input {count}");
        distinct.insert(expected.to_vec());
        count += 1;
    }
    // A net that gives the same for everything would agree with anything.
    assert!(distinct.len() > count / 2, "{} of {count}", distinct.len());
    count
}

fn compare_exported(exported: &Exported, count: usize) -> usize {
    let bundle = Bundle::check(exported.bundle.bytes()).unwrap();
    let onnx = OnnxModel::from_bytes(&exported.onnx).unwrap();
    let golden = Golden::check(&exported.golden).unwrap();
    compare(&bundle, &onnx, &golden, count)
}

#[test]
fn random_compact_nets_agree() {
    for (seed, shape) in [(1, Shape::new(1, 28, 28)), (2, Shape::new(3, 20, 31))] {
        let exported = export(&Architecture::compact(shape, 0.5, 32), seed).unwrap();
        compare_exported(&exported, 300);
    }
}

#[test]
fn a_random_article_net_agrees() {
    let architecture = Architecture::article(Shape::new(1, 28, 28), 64);
    compare_exported(&export(&architecture, 3).unwrap(), 60);
}

#[test]
fn a_random_small_net_agrees() {
    for seed in 0..10 {
        compare_exported(&export(&small(), seed).unwrap(), 200);
    }
}

/// The committed model, on a thousand random inputs and its golden ones.
#[test]
fn the_committed_model_agrees() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/glyphs");
    let read = |name| std::fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let bytes = Aligned::new(&read("model.bundle"));
    let bundle = Bundle::check(bytes.bytes()).unwrap();
    let onnx = OnnxModel::load(&dir.join("model.onnx")).unwrap();
    let golden = read("golden.bin");
    let golden = Golden::check(&golden).unwrap();
    let count = compare(&bundle, &onnx, &golden, INPUTS);
    assert_eq!(count, INPUTS + golden.sample_count());

    let report = replay::<_, 64, 512>(&mut TractEngine::new(onnx), &golden).unwrap();
    assert!(report.is_clean(), "{report}: {:?}", report.first);
}

#[test]
fn tract_replays_the_golden_vectors() {
    let exported = export(&small(), 1).unwrap();
    let golden = Golden::check(&exported.golden).unwrap();
    let mut engine = TractEngine::new(OnnxModel::from_bytes(&exported.onnx).unwrap());
    let report = replay::<_, 64, 512>(&mut engine, &golden).unwrap();
    assert!(report.is_clean(), "{report}: {:?}", report.first);
    assert_eq!((report.embeddings.passed, report.decisions.passed), (12, 54));
}

#[test]
fn every_truncation_is_refused() {
    let onnx = export(&small(), 1).unwrap().onnx;
    for len in 0..onnx.len() {
        let error = OnnxModel::from_bytes(&onnx[..len]).err();
        let told = matches!(error, Some(OnnxError::Decode | OnnxError::Foreign(_)));
        assert!(told, "{len} bytes of {}: {error:?}", onnx.len());
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let onnx = export(&small(), 1).unwrap().onnx;
    for at in 0..onnx.len() {
        let mut broken = onnx.clone();
        broken[at] ^= 1 << (at % 8);
        assert!(OnnxModel::from_bytes(&broken).is_err(), "byte {at}");
    }
}

#[test]
fn a_file_of_another_project_is_refused() {
    let mut model = ModelProto::decode(export(&small(), 1).unwrap().onnx.as_slice()).unwrap();
    model.metadata_props.clear();
    let error = OnnxModel::from_bytes(&model.encode_to_vec()).unwrap_err();
    assert!(matches!(error, OnnxError::Foreign(_)), "{error}");
    let told = OnnxModel::load(Path::new("no/model.onnx")).unwrap_err();
    let expected = "no/model.onnx is missing: make it with `doppel export`";
    assert_eq!(told.to_string(), expected);
}

/// A graph that was changed before it was sealed: whatever the check lets through, tract runs without a panic.
#[test]
fn no_sealed_graph_makes_tract_panic() {
    let exported = export(&small(), 1).unwrap();
    let bundle = Bundle::check(exported.bundle.bytes()).unwrap();
    let model = ModelProto::decode(exported.onnx.as_slice()).unwrap();
    let mut rng = StdRng::seed_from_u64(17);
    let (mut refused, mut ran) = (0, 0);
    for round in 0..1000 {
        let mut changed = model.clone();
        let what = mutate(&mut changed, &mut rng);
        onnx::seal(&mut changed, &bundle);
        let result = OnnxModel::from_bytes(&changed.encode_to_vec()).and_then(|m| m.run(&[7; 64]));
        match result {
            Ok(_) => ran += 1,
            Err(OnnxError::Graph(_)) => refused += 1,
            Err(error) => panic!("round {round}, {what}: {error}"),
        }
    }
    assert!(refused > 300 && ran > 20, "{refused} refused, {ran} ran");
}

/// Changes one field of the graph, and says which.
fn mutate(model: &mut ModelProto, rng: &mut StdRng) -> String {
    const NUMBERS: [i64; 12] = [0, 1, 2, 3, 4, 5, 8, 255, 256, -1, 1 << 40, i64::MIN];
    const OPERATORS: [&str; 7] =
        ["QLinearConv", "Flatten", "DequantizeLinear", "QuantizeLinear", "LeakyRelu", "Clip", "Loop"];
    let graph = model.graph.as_mut().unwrap();
    let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
    let names: Vec<String> = graph.node.iter().flat_map(|node| node.input.clone()).collect();
    let name = names[rng.random_range(0..names.len())].clone();
    let node = rng.random_range(0..graph.node.len());
    let tensor = rng.random_range(0..graph.initializer.len());
    let (nodes, tensors) = (graph.node.len(), graph.initializer.len());
    match rng.random_range(0..13) {
        0 => {
            let tensor = &mut graph.initializer[tensor];
            if tensor.dims.is_empty() {
                tensor.dims.push(number);
            } else {
                let at = rng.random_range(0..tensor.dims.len());
                tensor.dims[at] = number;
            }
            format!("a side of {} is {number}", tensor.name)
        }
        1 => {
            graph.initializer[tensor].dims.push(number);
            format!("a further side of {tensor} is {number}")
        }
        2 => {
            graph.initializer[tensor].data_type = rng.random_range(0..12);
            format!("the type of {tensor}")
        }
        3 => {
            graph.initializer[tensor].raw_data.pop();
            format!("a byte less in {tensor}")
        }
        4 => {
            for byte in &mut graph.initializer[tensor].raw_data {
                *byte = rng.random();
            }
            format!("the numbers of {}", graph.initializer[tensor].name)
        }
        5 => {
            let attributes = &mut graph.node[node].attribute;
            if attributes.is_empty() {
                return "nothing".to_string();
            }
            let at = rng.random_range(0..attributes.len());
            let attribute = &mut attributes[at];
            match attribute.ints.len() {
                0 => attribute.i = number,
                len => attribute.ints[rng.random_range(0..len)] = number,
            }
            attribute.f = number as f32;
            format!("{} of node {node} is {number}", attribute.name)
        }
        6 => {
            let attributes = &mut graph.node[node].attribute;
            let dropped = attributes.pop().map(|attribute| attribute.name);
            format!("no {dropped:?} in node {node}")
        }
        7 => {
            let len = graph.node[node].input.len();
            graph.node[node].input[rng.random_range(0..len)] = name.clone();
            format!("node {node} reads {name}")
        }
        8 => {
            graph.node[node].input.pop();
            format!("node {node} reads one tensor less")
        }
        9 => {
            let operator = OPERATORS[rng.random_range(0..OPERATORS.len())];
            graph.node[node].op_type = operator.to_string();
            format!("node {node} is a {operator}")
        }
        10 => {
            graph.node.swap(node, rng.random_range(0..nodes));
            format!("node {node} stands elsewhere")
        }
        11 => {
            graph.initializer.swap_remove(tensor);
            format!("no constant {tensor} of {tensors}")
        }
        _ => {
            graph.node[node].output[0] = name.clone();
            format!("node {node} gives {name}")
        }
    }
}
