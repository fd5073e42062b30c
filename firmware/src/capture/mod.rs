//! Where a board's samples come from: a host at the other end of a [`link`], or a signature [`pad`] on the board.
//!
//! A source asks what a host would ask, in the messages of [`shared::wire`]; so one app serves them all.

pub mod drawing;
pub mod link;
pub mod pad;
pub mod raster;
pub mod xpt2046;

use shared::wire::{Request, Response};

use crate::pins::Millis;

/// One that asks the app.
pub trait Source {
    /// Why it cannot ask any more.
    type Error;

    /// Goes on with the next request, without waiting; none while there is none.
    fn poll(&mut self, now: Millis) -> Result<Option<Request<'_>>, Self::Error>;

    /// Takes the answer to the request of the last [`Source::poll`].
    fn answer(&mut self, response: &Response<'_>) -> Result<(), Self::Error>;
}
