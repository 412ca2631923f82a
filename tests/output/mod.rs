//! What leaves by stdout and stderr, whoever reads it, and whether anybody
//! does.

mod as_sent;
mod lost;
mod stalled;
mod terminal;
