//! Messages as bytes, in postcard's format (`tests.rs` holds them against it).
//!
//! Neither direction stops at what is wrong: a [`Writer`] counts on past its end, a [`Reader`] gives zeros, and both tell at last.
//! So no step needs a branch for failure, which would be half of a board's code for messages.

use core::str;

use heapless::{String, Vec};

use crate::bundle::{Evidence, Threshold};
use crate::embedding::{Distance, Metric};
use crate::frontend::RawHeader;
use crate::gallery::{Candidate, Decision};

use super::{Adjustment, Event, Fault, Hardware, Info, LogLevel, Request, Response, StoreState, Update};

/// What a message is made of.
pub trait Wire<'a>: Sized {
    /// Appends the bytes.
    fn write(&self, out: &mut Writer<'_>);

    /// What the next bytes say.
    fn read(from: &mut Reader<'a>) -> Self;
}

/// Where a message is written; counts on past the end of its bytes.
#[derive(Debug)]
pub struct Writer<'b> {
    pub(super) bytes: &'b mut [u8],
    pub(super) len: usize,
}

impl Writer<'_> {
    #[inline(never)]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
        }
        self.len += 1;
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    #[inline(never)]
    fn number(&mut self, mut number: u32) {
        while number > 0x7f {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn all(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    #[inline(never)]
    fn counted(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u32);
        self.all(bytes);
    }
}

/// Where a message is read.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, failed: false }
    }

    /// Whether the bytes were what was asked for, and all of them.
    pub(super) fn is_done(&self) -> bool {
        !self.failed && self.bytes.is_empty()
    }

    /// Notes whether `holds` is true.
    fn expect(&mut self, holds: bool) {
        self.failed |= !holds;
    }

    #[inline(never)]
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let parts = self.bytes.split_at_checked(count);
        self.expect(parts.is_some());
        let (taken, rest) = parts.unwrap_or_default();
        self.bytes = rest;
        taken
    }

    /// A number of up to `bits` bits.
    fn wide<const BITS: u32>(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if shift + 7 >= BITS {
                self.expect(u32::from(byte) >> (BITS - shift) == 0);
                return number;
            }
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    #[inline(never)]
    fn number(&mut self) -> u32 {
        self.wide::<32>() as u32
    }

    #[inline(never)]
    fn counted(&mut self) -> &'a [u8] {
        let count = self.number() as usize;
        self.take(count)
    }

    #[inline(never)]
    fn text(&mut self) -> &'a str {
        let text = str::from_utf8(self.counted());
        self.expect(text.is_ok());
        text.unwrap_or_default()
    }
}

impl Wire<'_> for u8 {
    fn write(&self, out: &mut Writer<'_>) {
        out.byte(*self);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        from.byte()
    }
}

impl Wire<'_> for bool {
    fn write(&self, out: &mut Writer<'_>) {
        out.byte((*self).into());
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let byte = from.byte();
        from.expect(byte < 2);
        byte == 1
    }
}

impl Wire<'_> for u16 {
    fn write(&self, out: &mut Writer<'_>) {
        out.number((*self).into());
    }

    fn read(from: &mut Reader<'_>) -> Self {
        from.wide::<16>() as u16
    }
}

impl Wire<'_> for u32 {
    fn write(&self, out: &mut Writer<'_>) {
        out.number(*self);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        from.number()
    }
}

impl Wire<'_> for u64 {
    fn write(&self, out: &mut Writer<'_>) {
        let mut number = *self;
        while number > 0x7f {
            out.byte(number as u8 | 0x80);
            number >>= 7;
        }
        out.byte(number as u8);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        from.wide::<64>()
    }
}

impl Wire<'_> for f32 {
    fn write(&self, out: &mut Writer<'_>) {
        self.to_le_bytes().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        f32::from_le_bytes(Wire::read(from))
    }
}

impl<const LEN: usize> Wire<'_> for [u8; LEN] {
    fn write(&self, out: &mut Writer<'_>) {
        out.all(self);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let mut array = [0; LEN];
        for (place, &byte) in array.iter_mut().zip(from.take(LEN)) {
            *place = byte;
        }
        array
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    fn write(&self, out: &mut Writer<'_>) {
        out.counted(self);
    }

    fn read(from: &mut Reader<'a>) -> Self {
        from.counted()
    }
}

impl<'a> Wire<'a> for &'a str {
    fn write(&self, out: &mut Writer<'_>) {
        out.counted(self.as_bytes());
    }

    fn read(from: &mut Reader<'a>) -> Self {
        from.text()
    }
}

impl<const LEN: usize> Wire<'_> for String<LEN> {
    fn write(&self, out: &mut Writer<'_>) {
        out.counted(self.as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let text = String::try_from(from.text());
        from.expect(text.is_ok());
        text.unwrap_or_default()
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    fn write(&self, out: &mut Writer<'_>) {
        self.is_some().write(out);
        if let Some(content) = self {
            content.write(out);
        }
    }

    fn read(from: &mut Reader<'a>) -> Self {
        bool::read(from).then(|| T::read(from))
    }
}

impl<'a, T: Wire<'a>, const LEN: usize> Wire<'a> for Vec<T, LEN> {
    fn write(&self, out: &mut Writer<'_>) {
        out.number(self.len() as u32);
        for item in self {
            item.write(out);
        }
    }

    fn read(from: &mut Reader<'a>) -> Self {
        let count = from.number() as usize;
        from.expect(count <= LEN);
        (0..count.min(LEN)).map(|_| T::read(from)).collect()
    }
}

impl<'a, A: Wire<'a>, B: Wire<'a>> Wire<'a> for (A, B) {
    fn write(&self, out: &mut Writer<'_>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'a>) -> Self {
        (A::read(from), B::read(from))
    }
}

/// Writes and reads the fields of a struct in their order.
macro_rules! fields {
    ($life:lifetime $type:ty { $($field:tt)* }) => {
        impl<$life> Wire<$life> for $type {
            fn write(&self, out: &mut Writer<'_>) {
                $(self.$field.write(out);)*
            }

            fn read(from: &mut Reader<$life>) -> Self {
                Self { $($field: Wire::read(from),)* }
            }
        }
    };
}

/// Writes and reads a variant's number, then its fields in their order. What has no variant is read as the first one.
macro_rules! variants {
    ($life:lifetime $type:ty { $first:literal $one:ident $(($($i:ident)*))? $({ $($f:ident)* })? $(, $tag:literal $variant:ident $(($($item:ident)*))? $({ $($field:ident)* })?)* $(,)? }) => {
        impl<$life> $type {
            /// The variant's number in messages.
            pub(super) fn tag(&self) -> u8 {
                match self {
                    Self::$one { .. } => $first,
                    $(Self::$variant { .. } => $tag,)*
                }
            }
        }

        impl<$life> Wire<$life> for $type {
            #[inline(never)]
            fn write(&self, out: &mut Writer<'_>) {
                out.byte(self.tag());
                match self {
                    Self::$one $(($($i),*))? $({ $($f),* })? => { $($($i.write(out);)*)? $($($f.write(out);)*)? }
                    $(Self::$variant $(($($item),*))? $({ $($field),* })? => {
                        $($($item.write(out);)*)? $($($field.write(out);)*)?
                    })*
                }
            }

            #[inline(never)]
            fn read(from: &mut Reader<$life>) -> Self {
                match from.number() {
                    $($tag => Self::$variant
                        $(($({ let $item = Wire::read(from); $item }),*))? $({ $($field: Wire::read(from)),* })?,)*
                    number => {
                        from.expect(number == $first);
                        Self::$one $(($({ let $i = Wire::read(from); $i }),*))? $({ $($f: Wire::read(from)),* })?
                    }
                }
            }
        }
    };
}

fields!('a Distance { 0 });
fields!('a Evidence { target_fmr_ppm identities unseen forged genuine false_non_matches impostor false_matches });
fields!('a Threshold { distance gate evidence });
fields!('a Candidate { label distance runner_up });
fields!('a Adjustment { distance loosen });
fields!('a Event { number accepted nearest });
fields!('a Hardware<'a> { name ram flash slot store_pages store_erased });
fields!('a Info<'a> {
    protocol firmware model_id name slot input metric dim embedding_scale threshold adjusted adapt arena identities capacity
    store provisioned unlocked
});

variants!('a Metric { 0 Euclidean, 1 Cosine });
variants!('a LogLevel { 0 Off, 1 Warn, 2 Info, 3 Trace });
variants!('a RawHeader { 0 Image { width height channels }, 1 Sound { rate samples } });
variants!('a Decision { 0 Match(candidate), 1 Unknown(candidate) });
variants!('a StoreState { 0 Ready, 1 OtherModel(model), 2 OtherVersion(version), 3 Foreign });
variants!('a Update<'a> { 0 Begin { bytes }, 1 Chunk { offset bytes }, 2 Finish, 3 Revert });
variants!('a Request<'a> {
    0 Info,
    1 Begin(header),
    2 Chunk { offset bytes },
    3 Embed,
    4 Collect,
    5 Enrol { label },
    6 Verify { label },
    7 Identify,
    8 List { first },
    9 Delete { label },
    10 Wipe,
    11 Threshold(adjustment),
    12 Adapt(adapt),
    13 Challenge,
    14 Unlock { proof },
    15 Lock,
    16 Provision { key },
    17 SelfTest,
    18 Bench,
    19 Board,
    20 Log(level),
    21 Events { after },
    22 Update(part),
});
variants!('a Response<'a> {
    0 Info(info),
    1 Received(bytes),
    2 Embedding(bytes),
    3 Done(number),
    4 Enrolled { identities resembles },
    5 Decision(decision),
    6 Identities { total labels },
    7 Threshold { sealed used },
    8 Challenge(challenge),
    9 SelfTest { samples agree },
    10 Bench { embed identify identities },
    11 Board(hardware),
    12 Events(events),
    13 Fault(fault),
});
variants!('a Fault {
    0 Frame,
    1 Request,
    2 NotSound,
    3 NotImage,
    4 Size,
    5 Channels { expected },
    6 Rate { lowest highest },
    7 Chunk { received },
    8 NoSample,
    9 Incomplete { received expected },
    10 Blank,
    11 Clipped,
    12 Short,
    13 Unlike { distance gate },
    14 Samples,
    15 Label,
    16 Duplicate,
    17 NotEnrolled,
    18 Full { capacity },
    19 NoThreshold,
    20 Looser { sealed },
    21 Engine,
    22 Wait { seconds },
    23 Locked,
    24 NotProvisioned,
    25 Provisioned,
    26 Proof,
    27 OtherModel { model },
    28 OtherVersion { version },
    29 Foreign,
    30 Flash,
    31 StoreFull,
    32 NoGolden,
    33 NoSlots,
    34 SlotRoom { room },
    35 NoUpdate,
    36 Model,
    37 ModelTest,
    38 ModelRoom { arena dim },
    39 ModelKind,
});
