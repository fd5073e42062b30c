//! What the tests that span crates share.

pub mod exported;
pub mod model;
pub mod reference;
