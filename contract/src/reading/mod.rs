//! Requests, read as strictly from JSON as from query strings: every field is
//! known, is given once and has its own type. What is wrong names its field.

mod numbers;
mod strict;
mod unique_json;

pub use numbers::integer_in;
pub use strict::{Fault, read, read_query};
pub use unique_json::UniqueFields;
