//! Header, layers and weights as they lie in the bytes.

use bytemuck::{cast_slice, try_cast_slice};

use super::{
    DRAWN_OUT, Entry, Evidence, FORGED, FUSED, HAS_TABLE, HEADER_LEN, Header, INVERT, LAYER_LEN, LOG_MEL, LOG_MEL_LEN,
    Layer, PIXELS, PRE_EMPHASIS, REPEAT, SEALED, STRETCH, TABLE_LEN, Threshold, UNSEEN, array_at, u8_at, u16_at,
    u32_at, unpack, winograd_place,
};
use crate::embedding::{Distance, MAX_DIM, Metric};
use crate::frontend::{Fill, FrontEnd, Kinds, LogMel, Pixels};
use crate::geometry::{Geometry, Kind, Shape};
use crate::quant::Requantizer;
use crate::winograd::{PRODUCTS, recover_kernel};

/// Where the kind of the front end stands.
const KIND_AT: usize = 29;

#[inline(never)]
pub(super) fn read_header<K: Kinds>(bytes: &[u8]) -> Option<Header> {
    let frontend = read_frontend::<K>(bytes)?;
    // Of a length that the compiler knows: the places below need no check.
    let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
    let flags = u8_at(bytes, 30);
    let evidence = Evidence {
        target_fmr_ppm: u32_at(bytes, 48),
        identities: u32_at(bytes, 52),
        unseen: flags & UNSEEN != 0,
        forged: flags & FORGED != 0,
        genuine: u32_at(bytes, 56),
        false_non_matches: u32_at(bytes, 60),
        impostor: u32_at(bytes, 64),
        false_matches: u32_at(bytes, 68),
    };
    let threshold = Threshold { distance: Distance(u32_at(bytes, 44)), gate: Distance(u32_at(bytes, 96)), evidence };
    let (dim, scale) = (u16_at(bytes, 32), f32::from_bits(u32_at(bytes, 72)));
    let sound = flags & !(INVERT | STRETCH | SEALED | UNSEEN | FORGED) == 0
        && (1..=MAX_DIM).contains(&usize::from(dim))
        && scale.is_finite()
        && scale > 0.0;
    if !sound {
        return None;
    }
    Some(Header {
        model_id: u64::from(u32_at(bytes, 16)) | u64::from(u32_at(bytes, 20)) << 32,
        name: array_at(bytes, 80),
        frontend,
        metric: Metric::from_code(u8_at(bytes, 31))?,
        dim,
        arena: u32_at(bytes, 36),
        input_at: u32_at(bytes, 40),
        embedding_scale: scale,
        threshold: (flags & SEALED != 0).then_some(threshold),
        spread: Some(Distance(u32_at(bytes, 76))).filter(|spread| spread.0 > 0),
    })
}

/// Whether the front end of the bundle is one of `K`, or none at all.
pub(super) fn has_front_end<K: Kinds>(bytes: &[u8]) -> bool {
    match u8_at(bytes, KIND_AT) {
        PIXELS => K::PICTURES,
        LOG_MEL => K::SOUND,
        _ => true,
    }
}

fn read_frontend<K: Kinds>(bytes: &[u8]) -> Option<FrontEnd> {
    let (bytes, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
    let (height, width, channels, flags) = (u16_at(bytes, 24), u16_at(bytes, 26), u8_at(bytes, 28), u8_at(bytes, 30));
    let (invert, stretch) = (flags & INVERT != 0, flags & STRETCH != 0);
    match u8_at(bytes, KIND_AT) {
        PIXELS if K::PICTURES => Some(FrontEnd::Pixels(Pixels { width, height, channels, invert, stretch })),
        LOG_MEL if K::SOUND => {
            let at: &[u8; LOG_MEL_LEN] = rest.first_chunk()?;
            let own = u8_at(at, 12);
            let fill = match own & (REPEAT | DRAWN_OUT) {
                0 => Fill::Silence,
                REPEAT => Fill::Repeat,
                DRAWN_OUT => Fill::Stretch,
                _ => return None,
            };
            let log_mel = LogMel {
                rate: u16_at(at, 0),
                window: u16_at(at, 2),
                hop: u16_at(at, 4),
                bands: height,
                frames: width,
                low: u16_at(at, 6),
                high: u16_at(at, 8),
                range: u8_at(at, 10),
                trim: u8_at(at, 11),
                pre_emphasis: own & PRE_EMPHASIS != 0,
                fill,
            };
            let plain = channels == 1 && !invert && !stretch && own & !(PRE_EMPHASIS | REPEAT | DRAWN_OUT) == 0;
            (plain && log_mel.check().is_ok()).then_some(FrontEnd::LogMel(log_mel))
        }
        _ => None,
    }
}

/// The layer whose entry starts at byte `start`.
pub(super) fn read_layer(bytes: &[u8], start: usize) -> Option<Layer<'_>> {
    let at: &[u8; LAYER_LEN] = bytes.get(start..)?.first_chunk()?;
    let shape = |from| Shape { height: u16_at(at, from), width: u16_at(at, from + 2), channels: u16_at(at, from + 4) };
    let geometry = Geometry {
        kind: match u8_at(at, 0) {
            0 => Kind::Dense,
            1 => Kind::Planar,
            2 => Kind::Pool,
            3 => Kind::Winograd,
            _ => return None,
        },
        kernel: array_at(at, 1),
        stride: u8_at(at, 3),
        pad: array_at(at, 4),
        input: shape(8),
        output: shape(14),
    };
    let flags = u8_at(at, 23);
    if !geometry.is_consistent() || u8_at(at, 22) != 0 || flags & !(HAS_TABLE | FUSED) != 0 {
        return None;
    }
    let entry = Entry {
        geometry,
        input_zero_point: u8_at(at, 20),
        output_zero_point: u8_at(at, 21),
        fused: flags & FUSED != 0,
        input_at: u32_at(at, 36),
        output_at: u32_at(at, 40),
        scratch_at: u32_at(at, 44),
    };
    let section = |from: usize, len: usize| {
        let begin = Some(u32_at(at, from) as usize).filter(|begin| begin.is_multiple_of(4))?;
        bytes.get(begin..begin.checked_add(len)?)
    };
    let weights = section(24, geometry.weights_len())?;
    let channels = section(28, geometry.stored_channels() * size_of::<Requantizer>())?;
    let table = match flags & HAS_TABLE {
        0 => None,
        _ => Some(section(32, TABLE_LEN)?.try_into().ok()?),
    };
    let used = geometry.stored_channels() * geometry.weights_per_channel();
    let (packed, planar): (&[i16], &[i8]) = match geometry.kind {
        Kind::Dense | Kind::Winograd => (try_cast_slice(weights).ok()?, &[]),
        Kind::Planar | Kind::Pool => (&[], cast_slice(weights.get(..used)?)),
    };
    Some(Layer { entry, packed, planar, channels: try_cast_slice(channels).ok()?, table })
}

impl Layer<'_> {
    /// Stored weight `k` of output channel `index` of a dense layer.
    pub(super) fn packed_weight(&self, index: usize, k: usize) -> Option<i8> {
        let per_channel = self.entry.geometry.weights_per_channel();
        let at = index / 4 * 2 * per_channel + k / 2 * 4 + index % 4 / 2 * 2 + k % 2;
        let (low, high) = unpack(*self.packed.get(at)?);
        Some(if index.is_multiple_of(2) { low } else { high })
    }

    /// The kernel of output channel `output` and input channel `input` of a Winograd layer.
    #[inline(never)]
    pub(super) fn winograd_kernel(&self, output: usize, input: usize) -> Option<[i8; 9]> {
        let pairs = self.entry.geometry.pairs();
        let mut transformed = [0; PRODUCTS];
        for (product, transformed) in transformed.iter_mut().enumerate() {
            *transformed = *self.packed.get(winograd_place(pairs, output, product, input))?;
        }
        recover_kernel(transformed)
    }
}
