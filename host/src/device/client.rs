//! Asks a board, one request after the other, and believes no answer that is not whole.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use firmware::session;
use shared::frontend::Raw;
use shared::wire::{Decoder, Fault, KEY_LEN, MAX_CHUNK, MAX_FRAME, PROTOCOL, Request, Response, Update, encode};
use thiserror::Error;

use super::Link;

/// How long a board may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to check another model.
const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// How often a request is sent that was damaged on its way.
const TRIES: usize = 3;

/// Why a board did not do what it was asked.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// The link failed.
    #[error("the link to the board failed: {0}")]
    Link(#[from] io::Error),
    /// No answer came.
    #[error("the board did not answer within {0} s: check the cable, the port, and that the board runs Doppel")]
    Silent(u64),
    /// Whatever came was no answer.
    #[error("the link to the board is too noisy: {TRIES} messages in a row were damaged")]
    Noise,
    /// The board speaks another version.
    #[error(
        "the board speaks version {0} of the protocol, this program version {PROTOCOL}: flash the board anew, or use the `doppel` of its version"
    )]
    Version(u8),
    /// The answer is none to the request.
    #[error("the board answered with something else than was asked for: use the `doppel` of its version")]
    Answer,
    /// The board refused.
    #[error("{0}")]
    Fault(Fault),
}

/// One side of the link.
pub struct Client {
    link: Box<dyn Link>,
    decoder: Decoder,
    sequence: u8,
}

impl Client {
    /// Makes contact over `link` with a board of this protocol.
    pub fn new(mut link: Box<dyn Link>) -> Result<Self, DeviceError> {
        link.set_timeout(Duration::from_millis(200))?;
        let mut client = Client { link, decoder: Decoder::new(), sequence: 0 };
        // Ends what noise may have begun.
        client.link.write_all(&[0])?;
        client.ask(&Request::Info, |response| match response {
            Response::Info(info) if info.protocol == PROTOCOL => Ok(()),
            Response::Info(info) => Err(DeviceError::Version(info.protocol)),
            _ => Err(DeviceError::Answer),
        })?;
        Ok(client)
    }

    /// Sends `request`, and shows the answer to `read`; faults are errors.
    pub fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(Response<'_>) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        let patience = if matches!(request, Request::Update(_) | Request::SelfTest) { LONG_PATIENCE } else { PATIENCE };
        let repeatable = is_repeatable(request);
        let mut answer = Err(DeviceError::Noise);
        for _ in 0..TRIES {
            self.sequence = self.sequence % u8::MAX + 1;
            let mut out = [0; MAX_FRAME];
            let frame = encode(self.sequence, request, &mut out).map_err(|_| DeviceError::Answer)?;
            self.link.write_all(frame)?;
            self.link.flush()?;
            answer = self.receive(patience, repeatable);
            match &answer {
                // The board did not get it.
                Err(DeviceError::Fault(Fault::Frame)) => (),
                // The answer was lost, or the board never got the request.
                Err(DeviceError::Noise | DeviceError::Silent(_)) if repeatable => (),
                _ => break,
            }
        }
        let message = match answer {
            Err(DeviceError::Fault(Fault::Frame)) => return Err(DeviceError::Noise),
            answer => answer?,
        };
        // The bytes are a message of the protocol, or else an Info of another version.
        let mut decoder = Decoder::new();
        for byte in message {
            if let Some(Ok(frame)) = decoder.push(byte) {
                return match (frame.message::<Response<'_>>(), frame.protocol()) {
                    (Ok(Response::Fault(fault)), _) => Err(DeviceError::Fault(fault)),
                    (Ok(response), _) => read(response),
                    (Err(_), Some(protocol)) if *request == Request::Info => Err(DeviceError::Version(protocol)),
                    (Err(_), _) => Err(DeviceError::Answer),
                };
            }
        }
        Err(DeviceError::Noise)
    }

    /// The bytes of the frame that answers the last request. What the board could not read may have been noise before a request
    /// that it did get, so only one that is `repeatable` is given up at once.
    fn receive(&mut self, patience: Duration, repeatable: bool) -> Result<Vec<u8>, DeviceError> {
        let deadline = Instant::now() + patience;
        let mut bytes = Vec::new();
        let mut is_damaged = false;
        let mut buffer = [0; 64];
        loop {
            let count = match self.link.read(&mut buffer) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => count,
                Err(error) if is_timeout(&error) => 0,
                Err(error) => return Err(error.into()),
            };
            for &byte in &buffer[..count] {
                bytes.push(byte);
                match self.decoder.push(byte) {
                    None => continue,
                    Some(Err(_)) => return Err(DeviceError::Noise),
                    Some(Ok(frame)) if frame.sequence == self.sequence => return Ok(bytes),
                    // What the board could not read has no number.
                    Some(Ok(frame)) if frame.sequence == 0 => {
                        if repeatable {
                            return Err(DeviceError::Fault(Fault::Frame));
                        }
                        is_damaged = true;
                        bytes.clear();
                    }
                    // The late answer to an earlier request.
                    Some(Ok(_)) => bytes.clear(),
                }
            }
            if Instant::now() > deadline {
                return Err(match is_damaged {
                    true => DeviceError::Fault(Fault::Frame),
                    false => DeviceError::Silent(patience.as_secs()),
                });
            }
        }
    }

    /// Sends a sample in chunks; `progress` sees how many of its bytes are there.
    pub fn send(&mut self, raw: Raw<'_>, mut progress: impl FnMut(u64)) -> Result<(), DeviceError> {
        self.ask(&Request::Begin(raw.header()), received)?;
        for (index, bytes) in raw.bytes().chunks(MAX_CHUNK).enumerate() {
            let there = self.ask(&Request::Chunk { offset: (index * MAX_CHUNK) as u32, bytes }, received)?;
            progress(there.into());
        }
        Ok(())
    }

    /// Opens an admin session with `key`.
    pub fn unlock(&mut self, key: &[u8; KEY_LEN]) -> Result<(), DeviceError> {
        let challenge = self.ask(&Request::Challenge, |response| match response {
            Response::Challenge(challenge) => Ok(challenge),
            _ => Err(DeviceError::Answer),
        })?;
        self.done(&Request::Unlock { proof: session::proof(key, &challenge) }).map(drop)
    }

    /// Sends a request that is answered with a number.
    pub fn done(&mut self, request: &Request<'_>) -> Result<u16, DeviceError> {
        self.ask(request, |response| match response {
            Response::Done(number) => Ok(number),
            _ => Err(DeviceError::Answer),
        })
    }

    /// Sends a model, has it checked and used; the slot that it is in.
    pub fn update(&mut self, model: &[u8], mut progress: impl FnMut(u64)) -> Result<u16, DeviceError> {
        let bytes = u32::try_from(model.len()).unwrap_or(u32::MAX);
        self.ask(&Request::Update(Update::Begin { bytes }), received)?;
        for (index, bytes) in model.chunks(MAX_CHUNK).enumerate() {
            let chunk = Update::Chunk { offset: (index * MAX_CHUNK) as u32, bytes };
            let there = self.ask(&Request::Update(chunk), received)?;
            progress(there.into());
        }
        self.done(&Request::Update(Update::Finish))
    }

    /// Has the model used that the board's program was built with.
    pub fn revert(&mut self) -> Result<(), DeviceError> {
        self.done(&Request::Update(Update::Revert)).map(drop)
    }
}

fn received(response: Response<'_>) -> Result<u32, DeviceError> {
    match response {
        Response::Received(bytes) => Ok(bytes),
        _ => Err(DeviceError::Answer),
    }
}

/// Whether the request does no more when it is carried out twice.
fn is_repeatable(request: &Request<'_>) -> bool {
    use Request::{Begin, Board, Challenge, Chunk, Embed, Events, Info, List, Lock, Threshold};
    matches!(
        request,
        Info | Begin(_)
            | Chunk { .. }
            | Embed
            | List { .. }
            | Threshold(_)
            | Challenge
            | Lock
            | Board
            | Events { .. }
            | Request::Update(Update::Begin { .. } | Update::Chunk { .. })
    )
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    /// A board behind noise: it complains of a damaged frame before each answer, which is the number of the request.
    struct Noisy {
        decoder: Decoder,
        answers: VecDeque<u8>,
        requests: Arc<AtomicU16>,
    }

    impl Read for Noisy {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            // The complaint and the answer come apart.
            let count = bytes.len().min(1);
            self.answers.read(&mut bytes[..count])
        }
    }

    impl Write for Noisy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            for &byte in bytes {
                let Some(frame) = self.decoder.push(byte) else { continue };
                let sequence = frame.unwrap().sequence;
                let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
                let mut out = [0; MAX_FRAME];
                self.answers.extend(encode(0, &Response::Fault(Fault::Frame), &mut out).unwrap());
                self.answers.extend(encode(sequence, &Response::Done(number), &mut out).unwrap());
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Link for Noisy {
        fn set_timeout(&mut self, _: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_must_not_be_done_twice_is_not_sent_twice() {
        let requests = Arc::new(AtomicU16::new(0));
        let link = Noisy { decoder: Decoder::new(), answers: VecDeque::new(), requests: requests.clone() };
        let mut client = Client { link: Box::new(link), decoder: Decoder::new(), sequence: 0 };
        assert_eq!(client.done(&Request::Collect).unwrap(), 1);
        assert_eq!(client.done(&Request::Delete { label: "a" }).unwrap(), 2);
        assert_eq!(requests.load(Ordering::Relaxed), 2);
        // A request that may be repeated is, each time at once.
        assert!(matches!(client.done(&Request::Lock), Err(DeviceError::Noise)));
        assert_eq!(requests.load(Ordering::Relaxed), 5);
    }
}
