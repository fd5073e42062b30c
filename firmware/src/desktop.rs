//! The desktop build: tract as the app's engine, a flash in a file, and the links of a desktop.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use embedded_io_adapters::std::FromStd;
use embedded_storage::nor_flash::NorFlash;
use shared::bundle::Header;
use shared::embedding::{Embedding, MAX_DIM};
use shared::frontend::{FrontendError, Quality, RawHeader, Stream};
use shared::wire::Response;

use crate::app::{App, End, IDENTITIES, Memory};
use crate::engine::{Engine, NOTHING};
use crate::image::{self, Flash, Unkept};
use crate::onnx::{OnnxError, OnnxModel};
use crate::platform::{Platform, SlotFailed};

/// The app as the desktop builds it: an emulated board's, with room for the embeddings of any model.
pub type DesktopApp<'m, E> = App<'m, E, FileFlash<'m>, DesktopPlatform<'m>, IDENTITIES, MAX_DIM>;
/// What it keeps in RAM.
pub type DesktopMemory = Memory<IDENTITIES, MAX_DIM>;
/// The desktop's flash.
pub type FileFlash<'m> = Flash<Part<'m>>;

/// The front end in front of an ONNX file in tract.
#[derive(Debug)]
pub struct TractEngine {
    model: OnnxModel,
    tensor: Vec<u8>,
    work: Vec<u32>,
    stream: Option<Stream>,
}

impl TractEngine {
    /// An engine of `model`.
    pub fn new(model: OnnxModel) -> Self {
        let front = model.header().frontend;
        TractEngine { model, tensor: vec![0; front.tensor_len()], work: vec![0; front.work_words()], stream: None }
    }
}

impl From<FrontendError> for OnnxError {
    fn from(error: FrontendError) -> Self {
        OnnxError::Engine(error.to_string())
    }
}

impl Engine for TractEngine {
    type Error = OnnxError;

    fn header(&self) -> &Header {
        self.model.header()
    }

    fn start(&mut self, header: RawHeader) -> Result<(), FrontendError> {
        self.stream = Some(self.model.header().frontend.start(header, &mut self.tensor, &mut self.work)?);
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), FrontendError> {
        self.stream.as_mut().ok_or(NOTHING)?.push(bytes, &mut self.tensor, &mut self.work)
    }

    fn finish(&mut self) -> Result<Quality, FrontendError> {
        self.stream.take().ok_or(NOTHING)?.finish(&mut self.tensor, &mut self.work)
    }

    fn tensor(&mut self) -> &[u8] {
        &self.tensor
    }

    fn forward(&mut self) -> Result<Embedding, OnnxError> {
        self.model.run(&self.tensor)
    }

    fn lend<T>(&mut self, words: usize, work: impl FnOnce(&mut [u32]) -> T) -> Option<T> {
        Some(work(&mut vec![0; words]))
    }
}

/// The bytes of the desktop's flash, read from a file where one is named; laid out as [`image`] says.
#[derive(Debug)]
pub struct FlashImage {
    words: Vec<u32>,
    file: Option<File>,
}

impl FlashImage {
    /// A flash that forgets.
    pub fn volatile() -> Self {
        FlashImage { words: vec![u32::MAX; image::LEN / 4], file: None }
    }

    /// The flash in the file at `path`, which is made if there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut flash = FlashImage::volatile();
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.metadata()?.len() {
            0 => file.write_all(bytemuck::cast_slice(&flash.words))?,
            len if len == image::LEN as u64 => file.read_exact(bytemuck::cast_slice_mut(&mut flash.words))?,
            len => {
                let message = format!("it has {len} bytes, a flash has {}: name another file", image::LEN);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        flash.file = Some(file);
        Ok(flash)
    }

    /// The store's part, and the slots.
    pub fn parts(&mut self) -> io::Result<(FileFlash<'_>, Slots<'_>)> {
        let FlashImage { words, file } = self;
        let part = |bytes, range: Range<usize>| -> io::Result<_> {
            let file = match &*file {
                Some(file) => Some((file.try_clone()?, range.start as u64)),
                None => None,
            };
            Ok(Flash(Part { bytes, file }))
        };
        let (slots, store) = bytemuck::cast_slice_mut(words).split_at_mut(image::STORE.start);
        let (first, second) = slots.split_at_mut(image::SLOT_LEN);
        Ok((part(store, image::STORE)?, [part(first, image::slot(1))?, part(second, image::slot(2))?]))
    }
}

/// Slots 1 and 2.
pub type Slots<'m> = [FileFlash<'m>; 2];

/// A part of the flash, and the file that has it with the place there.
#[derive(Debug)]
pub struct Part<'m> {
    bytes: &'m mut [u8],
    file: Option<(File, u64)>,
}

impl image::Memory for Part<'_> {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    fn keep(&mut self, range: Range<usize>) -> Result<(), Unkept> {
        let Some((file, offset)) = &mut self.file else {
            return Ok(());
        };
        let at = SeekFrom::Start(*offset + range.start as u64);
        let bytes = self.bytes.get(range).ok_or(Unkept)?;
        file.seek(at).and_then(|_| file.write_all(bytes)).map_err(|_| Unkept)
    }
}

/// The desktop as a board.
#[derive(Debug)]
pub struct DesktopPlatform<'m> {
    start: Instant,
    golden: Vec<u8>,
    slots: Slots<'m>,
    in_use: u8,
}

impl<'m> DesktopPlatform<'m> {
    /// A board whose model, in slot `in_use`, has the vectors `golden`.
    pub fn new(golden: Vec<u8>, slots: Slots<'m>, in_use: u8) -> Self {
        DesktopPlatform { start: Instant::now(), golden, slots, in_use }
    }
}

impl Platform for DesktopPlatform<'_> {
    const NAME: &'static str = "desktop";

    fn micros(&mut self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn golden(&self) -> Option<&[u8]> {
        Some(&self.golden).filter(|golden| !golden.is_empty()).map(Vec::as_slice)
    }

    fn slot_in_use(&self) -> u8 {
        self.in_use
    }

    fn slot_len(&self) -> u32 {
        image::SLOT_LEN as u32
    }

    fn erase_slot(&mut self, slot: u8) -> Result<(), SlotFailed> {
        let flash = self.slots.get_mut(usize::from(slot).wrapping_sub(1)).ok_or(SlotFailed)?;
        flash.erase(0, image::SLOT_LEN as u32).map_err(|_| SlotFailed)
    }

    fn write_slot(&mut self, slot: u8, offset: u32, bytes: &[u8]) -> Result<(), SlotFailed> {
        let flash = self.slots.get_mut(usize::from(slot).wrapping_sub(1)).ok_or(SlotFailed)?;
        flash.write(offset, bytes).map_err(|_| SlotFailed)
    }

    fn slot(&self, slot: u8) -> &[u8] {
        self.slots.get(usize::from(slot).wrapping_sub(1)).map_or(&[], Flash::bytes)
    }
}

/// Serves one connection after the other, as a board serves its UART: who is enrolled stays. Ends when another model is to be
/// started.
pub fn serve_tcp<E: Engine>(
    app: &mut DesktopApp<'_, E>,
    listener: &TcpListener,
    mut observe: impl FnMut(&Response<'_>),
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        // A client that breaks off ends its own connection only.
        if let Ok(End::Restart) = serve_stream(app, stream, &mut observe) {
            return Ok(());
        }
    }
}

/// Serves one connection until its other side closes it.
pub fn serve_stream<E: Engine>(
    app: &mut DesktopApp<'_, E>,
    stream: TcpStream,
    observe: impl FnMut(&Response<'_>),
) -> io::Result<End> {
    stream.set_nodelay(true)?;
    app.serve(&mut FromStd::new(stream), observe)
}

/// Serves standard input and output until the input ends.
pub fn serve_stdio<E: Engine>(app: &mut DesktopApp<'_, E>, observe: impl FnMut(&Response<'_>)) -> io::Result<End> {
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
