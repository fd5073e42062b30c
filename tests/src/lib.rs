//! What the tests that span crates share.

pub mod model;
pub mod reference;
