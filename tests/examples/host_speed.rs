//! How fast the executor runs the reference nets on this machine: `cargo run --release -p parity --example host_speed`.

use std::time::Instant;

use parity::model;
use parity::reference::REFERENCES;
use shared::bundle::Bundle;
use shared::network;

fn main() {
    for reference in REFERENCES {
        let bytes = model::build(&reference.net, 1);
        let bundle = Bundle::check(bytes.bytes()).expect("the model is consistent");
        let mut arena = vec![0; network::arena_words(&bundle)];
        let rounds = (2_000_000_000 / bundle.macs()).clamp(10, 5000) as u32;
        let start = Instant::now();
        for _ in 0..rounds {
            network::forward(&bundle, &mut arena).expect("the arena is as asked");
        }
        let each = start.elapsed() / rounds;
        let rate = bundle.macs() as f64 / each.as_secs_f64() / 1e9;
        println!("{}: {:.3} ms, {rate:.2} GMAC/s", reference.net.name, each.as_secs_f64() * 1e3);
    }
}
