//! Arrays of bytes in messages: as serde has them, by a loop instead of a call for every element.

use core::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserializer, Serializer};

pub(super) fn serialize<S: Serializer, const LEN: usize>(bytes: &[u8; LEN], to: S) -> Result<S::Ok, S::Error> {
    let mut tuple = to.serialize_tuple(LEN)?;
    for byte in bytes {
        tuple.serialize_element(byte)?;
    }
    tuple.end()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, const LEN: usize>(from: D) -> Result<[u8; LEN], D::Error> {
    from.deserialize_tuple(LEN, Bytes)
}

struct Bytes<const LEN: usize>;

impl<'de, const LEN: usize> Visitor<'de> for Bytes<LEN> {
    type Value = [u8; LEN];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LEN} bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<[u8; LEN], A::Error> {
        let mut bytes = [0; LEN];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = sequence.next_element()?.ok_or_else(|| A::Error::invalid_length(index, &self))?;
        }
        Ok(bytes)
    }
}
