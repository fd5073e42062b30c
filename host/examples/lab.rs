use clap::{Parser, Subcommand};
use host::{cmd, data, recipe, train, net, mining};
use std::time::Instant;
#[derive(Parser)] struct Cli { #[command(subcommand)] c: C }
#[derive(Subcommand)] enum C { Train(cmd::train::Args), Knn { model: std::path::PathBuf, #[arg(default_value="/work/shared/data/mnist")] dir: std::path::PathBuf }, Bench, Data { spec: data::Spec } }
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/schedstat").unwrap(); let main: f64 = s.split(' ').next().unwrap().parse().unwrap(); let mut all = 0.0; for t in std::fs::read_dir("/proc/self/task").unwrap() { let p = t.unwrap().path().join("schedstat"); if let Ok(s) = std::fs::read_to_string(p) { all += s.split(' ').next().unwrap().parse::<f64>().unwrap_or(0.0); } } let _ = main; all * 1e-9 }
fn main() -> anyhow::Result<()> {
    match Cli::parse().c {
        C::Train(a) => cmd::train::run(a),
        C::Knn { model, dir } => {
            let t = train::Trained::load(&model)?;
            let front = t.recipe.front_end();
            let a = data::Tensors::new(&data::mnist::load(&dir, data::mnist::Half::Training)?, &front)?;
            let b = data::Tensors::new(&data::mnist::load(&dir, data::mnist::Half::Testing)?, &front)?;
            let (ea, eb) = (t.embed(&a), t.embed(&b));
            let d = ea.len() / a.len();
            use rayon::prelude::*;
            let mut out = Vec::new();
            for k in [1usize, 5, 15, 50] {
                let right: usize = (0..b.len()).into_par_iter().map(|i| {
                    let q = &eb[i*d..(i+1)*d];
                    let mut best: Vec<(f32, usize)> = Vec::with_capacity(k+1);
                    for (j, g) in ea.chunks_exact(d).enumerate() {
                        let s: f32 = q.iter().zip(g).map(|(x,y)| (x-y)*(x-y)).sum();
                        if best.len() < k || s < best[best.len()-1].0 {
                            let p = best.partition_point(|x| x.0 <= s);
                            best.insert(p, (s, a.identities[j]));
                            best.truncate(k);
                        }
                    }
                    let mut votes = [0usize; 10];
                    for (_, l) in &best { votes[*l] += 1; }
                    let top = *votes.iter().max().unwrap();
                    let l = best.iter().map(|x| x.1).find(|&l| votes[l] == top).unwrap();
                    usize::from(l == b.identities[i])
                }).sum();
                out.push(format!("k={k}: {:.2} %", right as f64 / b.len() as f64 * 100.0));
            }
            println!("{} {}", model.display(), out.join(", "));
            Ok(())
        }
        C::Data { spec } => {
            let split = spec.default_split()?;
            let r = recipe::Choices::new(spec.clone(), "x").recipe()?;
            let d = data::TrainingData::load(&spec, &split, 0, r.front_end(), r.batching(0).unwrap())?;
            let (w, c) = (Instant::now(), cpu());
            let n: usize = d.epoch(0).take(50).map(|b| b.unwrap().identities.len()).sum();
            println!("{n} samples: {:.0}/s wall {:.0}/s cpu", n as f64/w.elapsed().as_secs_f64(), n as f64/(cpu()-c));
            Ok(())
        }
        C::Bench => { bench_before(); bench(); Ok(()) }
    }
}
fn bench() {
    use burn::tensor::{Device, Tensor, Distribution}; use burn::optim::*; use net::*; use host::loss as loss;
    let dev = Device::flex().autodiff();
    for (name, arch) in [("S d=2", Architecture::article(Shape::new(1,28,28), 2)), ("S d=64", Architecture::article(Shape::new(1,28,28), 64)), ("C", Architecture::compact(Shape::new(1,28,28), 1.0, 64))] {
        let mut net = Net::new(&arch, 1, &dev).unwrap();
        let mut opt = AdamWConfig::new().init();
        let n = 128;
        let labels: Vec<usize> = (0..n).map(|i| i/4).collect();
        let mut t = [0f64; 8];
        let mut w = [0f64; 8];
        let reps = 30;
        for rep in 0..reps+3 {
            if rep == 3 { t = [0.;8]; w=[0.;8]; }
            let mut k = 0; let mut last = cpu(); let mut lw = Instant::now();
            let mut mark = |t: &mut [f64;8], w: &mut [f64;8]| { let c = cpu(); t[k] += c-last; w[k] += lw.elapsed().as_secs_f64(); k+=1; last=c; lw=Instant::now(); };
            let x = Tensor::<4>::random([n,28,28,1], Distribution::Uniform(0.,1.), &dev);
            mark(&mut t, &mut w);
            let e = net.embed_rows(x);
            mark(&mut t, &mut w);
            let sq = loss::squared_distances(loss::normalize(e));
            let h: Vec<f32> = sq.to_data().iter::<f32>().collect();
            mark(&mut t, &mut w);
            let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
            let tr = mining::triplets(&h, &labels, mining::Mining::SemiHard, &mut rng);
            mark(&mut t, &mut w);
            let l = loss::triplet(sq, &tr, 0.2);
            mark(&mut t, &mut w);
            let g = l.backward();
            mark(&mut t, &mut w);
            let g = GradientsParams::from_grads(g, &net);
            let m = net.clone();
            net = opt.step(1e-3, m, g);
            mark(&mut t, &mut w);
        }
        let names = ["input","embed","distances","mining","loss","backward","adam"];
        for i in 0..7 { print!("{} {:.2}/{:.2}  ", names[i], t[i]/reps as f64*1e3, w[i]/reps as f64*1e3); }
        let (ct, cw): (f64,f64) = (t.iter().sum(), w.iter().sum());
        println!("\n{name}: {:.0} images/cpu-s, {:.0} images/s wall", (n*reps) as f64/ct, (n*reps) as f64/cw);
    }
}
mod before {
    use burn::nn::*; use burn::nn::conv::*; use burn::module::*; use burn::tensor::*;
    #[derive(Module, Debug)] pub struct Block { c: Conv2d, b: BatchNorm }
    #[derive(Module, Debug)] pub struct B { blocks: Vec<Block>, fc: Linear, #[module(skip)] pool: bool }
    impl B {
        pub fn new(compact: bool, dev: &Device) -> B {
            let l: Vec<(usize, usize, usize, usize, usize)> = if compact { vec![(1,16,3,2,1),(16,16,3,1,16),(16,32,1,1,1),(32,32,3,2,32),(32,64,1,1,1),(64,64,3,1,64),(64,64,1,1,1),(64,64,3,2,64),(64,96,1,1,1)] } else { vec![(1,32,3,1,1),(32,32,3,2,1),(32,64,3,1,1),(64,64,3,2,1)] };
            let blocks = l.into_iter().map(|(i,o,k,s,g)| Block { c: Conv2dConfig::new([i,o],[k,k]).with_stride([s,s]).with_padding(PaddingConfig2d::Explicit(k/2,k/2,k/2,k/2)).with_groups(g).with_bias(false).init(dev), b: BatchNormConfig::new(o).init(dev) }).collect();
            B { blocks, fc: LinearConfig::new(if compact {96} else {3136}, 64).init(dev), pool: compact }
        }
        pub fn go(&self, mut x: Tensor<4>) -> Tensor<2> {
            for b in &self.blocks { x = b.b.forward(b.c.forward(x)); x = if self.pool { burn::tensor::activation::relu(x) } else { burn::tensor::activation::leaky_relu(x, 0.1) }; }
            if self.pool { x = x.mean_dim(3).mean_dim(2); }
            self.fc.forward(x.flatten(1, 3))
        }
    }
}
fn bench_before() {
    use burn::tensor::{Device, Tensor, Distribution}; use burn::optim::*;
    let dev = Device::flex().autodiff();
    for compact in [false, true] {
        let mut net = before::B::new(compact, &dev);
        let mut opt = AdamWConfig::new().init();
        let n = 128;
        let (mut c, mut w) = (cpu(), Instant::now());
        for rep in 0..8 {
            if rep == 2 { c = cpu(); w = Instant::now(); }
            let x = Tensor::<4>::random([n,1,28,28], Distribution::Uniform(0.,1.), &dev);
            let l = net.go(x).square().mean();
            let g = GradientsParams::from_grads(l.backward(), &net);
            let m = net.clone();
            net = opt.step(1e-3, m, g);
        }
        println!("built-in compact={compact}: {:.0} images/cpu-s, {:.0} images/s wall", 768./(cpu()-c), 768./w.elapsed().as_secs_f64());
    }
}
