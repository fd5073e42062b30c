//! A recording of integers, and what the sound front end must make of it on every machine.

use shared::frontend::{Fill, FrontEnd, FrontendError, LogMel, RawHeader};

/// Most bytes of a case's input tensor.
pub(crate) const TENSOR: usize = 64 * 64;
/// Words that are enough for any case.
pub(crate) const WORK: usize = 2048;

const SETTINGS: LogMel = LogMel {
    rate: 8000,
    window: 256,
    hop: 128,
    bands: 40,
    frames: 48,
    low: 60,
    high: 3800,
    range: 60,
    trim: 30,
    pre_emphasis: true,
    fill: Fill::Repeat,
};

/// Settings, the recording's rate, and the checksum of the tensor.
pub(crate) const CASES: [(LogMel, u32, u32); 6] = [
    (SETTINGS, 8000, 0x4c24_09c2),
    (LogMel { fill: Fill::Silence, pre_emphasis: false, ..SETTINGS }, 16000, 0x9a1b_4629),
    (LogMel { window: 512, hop: 100, bands: 64, frames: 64, range: 90, ..SETTINGS }, 44100, 0xb049_cba8),
    (LogMel { window: 128, hop: 64, bands: 20, frames: 30, trim: 12, ..SETTINGS }, 6000, 0x570e_5576),
    (LogMel { rate: 16000, high: 8000, window: 512, hop: 256, frames: 20, ..SETTINGS }, 11025, 0xba19_fc7d),
    (LogMel { fill: Fill::Stretch, ..SETTINGS }, 8000, 0xf1d9_c7b7),
];

/// A sawtooth of rising pitch in noise, between two silences; 0.7 s.
struct Voice {
    at: u32,
    rate: u32,
    phase: u32,
    noise: u32,
}

impl Voice {
    fn next(&mut self) -> i16 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (self.noise >> 28) as i32 - 8;
        let speaks = (self.rate / 7..self.rate / 2).contains(&self.at);
        let pitch = 110 + self.at * 200 / self.rate;
        self.phase = self.phase.wrapping_add(pitch * (u32::MAX / self.rate));
        self.at += 1;
        let tooth = (self.phase >> 18) as i32 - (1 << 13);
        (noise + if speaks { tooth } else { 0 }) as i16
    }
}

/// The checksum (FNV-1a) of the tensor that `case` gives, its bytes coming in chunks of `chunk` bytes, up to 64.
pub(crate) fn checksum(
    &(settings, rate, _): &(LogMel, u32, u32),
    chunk: usize,
    tensor: &mut [u8; TENSOR],
    work: &mut [u32; WORK],
) -> Result<u32, FrontendError> {
    let front = FrontEnd::LogMel(settings);
    let tensor = &mut tensor[..front.tensor_len()];
    let samples = rate * 7 / 10;
    let mut stream = front.start(RawHeader::Sound { rate, samples }, tensor, work)?;
    let mut voice = Voice { at: 0, rate, phase: 0, noise: 1 };
    let (mut buffer, mut filled) = ([0; 64], 0);
    for _ in 0..samples {
        for byte in voice.next().to_le_bytes() {
            buffer[filled] = byte;
            filled += 1;
            if filled == chunk.clamp(1, 64) {
                stream.push(&buffer[..filled], tensor, work)?;
                filled = 0;
            }
        }
    }
    stream.push(&buffer[..filled], tensor, work)?;
    stream.finish(tensor, work)?;
    Ok(tensor.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
}
