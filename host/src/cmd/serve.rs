//! `doppel serve`.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::Context;
use firmware::app::End;
use firmware::desktop::{
    DesktopApp, DesktopMemory, DesktopPlatform, FileFlash, FlashImage, TractEngine, serve_stdio, serve_tcp,
};
use firmware::engine::{Engine, KernelEngine};
use firmware::onnx::OnnxModel;
use firmware::slot;
use firmware::store::Store;
use shared::bundle::{Bundle, Header};
use shared::network;
use shared::wire::Response;

use crate::model::{BundleBytes, GOLDEN, ONNX};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder
    pub model: PathBuf,
    /// Address to listen at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
    pub listen: String,
    /// Talk over standard input and output instead
    #[arg(long, conflicts_with = "listen")]
    pub stdio: bool,
    /// The file of the board's flash, made if it is missing; without it, who is enrolled is forgotten at the end
    #[arg(long, value_name = "FILE")]
    pub flash: Option<PathBuf>,
    /// Tell every answer on standard error
    #[arg(long)]
    pub verbose: bool,
}

/// Where the messages come from.
enum Listener {
    Stdio,
    Tcp(TcpListener),
}

/// The model that the command line names.
struct Named {
    header: Header,
    /// Words of the arena that its bundle runs in; 0 where the folder has none.
    words: usize,
}

/// Answers a board's messages until it is stopped, or until the standard input ends.
pub fn run(args: Args) -> anyhow::Result<()> {
    // What is in the folder must run before anything is listened for.
    let header = *OnnxModel::load(&args.model.join(ONNX))?.header();
    let words = BundleBytes::open(&args.model).ok().and_then(|bytes| Some(network::arena_words(&bytes.bundle().ok()?)));
    let named = Named { header, words: words.unwrap_or_default() };
    let mut flash = match &args.flash {
        Some(path) => FlashImage::open(path)
            .with_context(|| format!("cannot use the flash {}: name another with --flash", path.display()))?,
        None => FlashImage::volatile(),
    };
    let listener = if args.stdio {
        Listener::Stdio
    } else {
        let listener = TcpListener::bind(&args.listen)
            .with_context(|| format!("cannot listen at {}: name another --listen", args.listen))?;
        note!("listening at {}", listener.local_addr()?);
        Listener::Tcp(listener)
    };
    while serve_model(&args, &named, &mut flash, &listener)? == End::Restart {}
    Ok(())
}

/// Serves the model of the slot that the store names, or the folder's, until another one is to be started.
fn serve_model(args: &Args, named: &Named, flash: &mut FlashImage, listener: &Listener) -> anyhow::Result<End> {
    let (store, slots) = flash.parts()?;
    let mut store = Store::open(store)?;
    let slot = store.settings().slot;
    let held = slots.get(usize::from(slot).wrapping_sub(1)).and_then(|flash| slot::check(flash.bytes()).ok());
    let held = held.map(|model| (BundleBytes::copy_of(model.bundle), model.golden.to_vec()));
    let Some((bytes, golden)) = held else {
        if slot != 0 {
            note!("slot {slot} of the flash holds no model: the one of {} is used", args.model.display());
            store.change(&|settings| settings.slot = 0)?;
        }
        let model = OnnxModel::load(&args.model.join(ONNX))?;
        let Header { model_id, .. } = model.header();
        note!("serving {} {model_id:016x}", model.header().name());
        // A folder without golden vectors serves all the same; only its self-test says that there are none.
        let golden = fs::read(args.model.join(GOLDEN)).unwrap_or_default();
        return serve(args, TractEngine::new(model), store, DesktopPlatform::new(golden, slots, 0), listener);
    };
    let bundle = Bundle::check(bytes.as_slice())?;
    let (name, model_id) = (bundle.header().name(), bundle.header().model_id);
    match model_id == named.header.model_id {
        true => note!("serving {name} {model_id:016x}"),
        false => {
            note!("serving {name} {model_id:016x}, which slot {slot} of the flash holds, not {}", args.model.display())
        }
    }
    // An update is tried in this arena, also one that brings back the larger model that was named.
    let mut arena = vec![0; network::arena_words(&bundle).max(named.words)];
    let engine = KernelEngine::new(&bundle, &mut arena)?;
    serve(args, engine, store, DesktopPlatform::new(golden, slots, slot), listener)
}

fn serve<'m, E: Engine>(
    args: &Args,
    engine: E,
    store: Store<FileFlash<'m>>,
    platform: DesktopPlatform<'m>,
    listener: &Listener,
) -> anyhow::Result<End> {
    let mut memory = DesktopMemory::new();
    let mut app = DesktopApp::new(engine, store, platform, &mut memory)?;
    let observe = |response: &Response<'_>| {
        if args.verbose {
            note!("{response:?}");
        }
    };
    Ok(match listener {
        Listener::Stdio => serve_stdio(&mut app, observe)?,
        Listener::Tcp(listener) => serve_tcp(&mut app, listener, observe).map(|()| End::Restart)?,
    })
}
