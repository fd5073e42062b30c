//! What the tests that span crates share.

pub mod board;
pub mod conversation;
pub mod exported;
pub mod inputs;
pub mod model;
pub mod pad;
pub mod reference;
