//! The desktop build: tract as the app's engine, and the links of a desktop.

use std::io;
use std::net::{TcpListener, TcpStream};

use embedded_io_adapters::std::FromStd;
use shared::bundle::Header;
use shared::embedding::{Embedding, MAX_DIM};
use shared::frontend::Raw;
use shared::wire::Response;

use crate::app::{App, IDENTITIES, Memory, SAMPLE_BYTES};
use crate::engine::Engine;
use crate::onnx::{OnnxError, OnnxModel};

/// The app as the desktop builds it: an emulated board's, with room for the embeddings of any model.
pub type DesktopApp<'m, E> = App<'m, E, IDENTITIES, MAX_DIM, SAMPLE_BYTES>;
/// What it keeps.
pub type DesktopMemory = Memory<IDENTITIES, MAX_DIM, SAMPLE_BYTES>;

/// The front end in front of an ONNX file in tract.
#[derive(Debug)]
pub struct TractEngine {
    model: OnnxModel,
    tensor: Vec<u8>,
    work: Vec<u32>,
}

impl TractEngine {
    /// An engine of `model`.
    pub fn new(model: OnnxModel) -> Self {
        let frontend = model.header().frontend;
        TractEngine { tensor: vec![0; frontend.tensor_len()], work: vec![0; frontend.work_words()], model }
    }
}

impl Engine for TractEngine {
    type Error = OnnxError;

    fn header(&self) -> &Header {
        self.model.header()
    }

    fn embed(&mut self, raw: Raw<'_>) -> Result<Embedding, OnnxError> {
        let frontend = self.model.header().frontend;
        frontend.run(raw, &mut self.tensor, &mut self.work).map_err(|e| OnnxError::Engine(e.to_string()))?;
        self.model.run(&self.tensor)
    }
}

/// Serves one connection after the other, as a board serves its UART: who is enrolled stays.
pub fn serve_tcp<E: Engine>(
    app: &mut DesktopApp<'_, E>,
    listener: &TcpListener,
    mut observe: impl FnMut(&Response<'_>),
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        // A client that breaks off ends its own connection only.
        let _ = serve_stream(app, stream, &mut observe);
    }
}

/// Serves one connection until its other side closes it.
pub fn serve_stream<E: Engine>(
    app: &mut DesktopApp<'_, E>,
    stream: TcpStream,
    observe: impl FnMut(&Response<'_>),
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    app.serve(&mut FromStd::new(stream), observe)
}

/// Serves standard input and output until the input ends.
pub fn serve_stdio<E: Engine>(app: &mut DesktopApp<'_, E>, observe: impl FnMut(&Response<'_>)) -> io::Result<()> {
    app.serve(&mut Stdio, observe)
}

/// Standard input and output as one link.
struct Stdio;

impl embedded_io::ErrorType for Stdio {
    type Error = io::Error;
}

impl embedded_io::Read for Stdio {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut io::stdin(), bytes)
    }
}

impl embedded_io::Write for Stdio {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::Write::write(&mut io::stdout(), bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut io::stdout())
    }
}
