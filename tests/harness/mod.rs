//! What the journeys stand on.

pub(crate) mod audit;
pub(crate) mod books;
#[path = "../../api/tests/it/certificates.rs"]
pub(crate) mod certificates;
pub(crate) mod cli;
pub(crate) mod expected;
pub(crate) mod failures;
pub(crate) mod folder;
pub(crate) mod gateway;
pub(crate) mod grpc;
pub(crate) mod guarded_temporal;
pub(crate) mod history;
pub(crate) mod openapi;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod recording;
pub(crate) mod runs;
pub(crate) mod temporal;
pub(crate) mod wait;
pub(crate) mod world;

pub(crate) use wait::{LATER, SOON, eventually, eventually_seldom};
pub(crate) use world::{Engine, Setup, Shared, World};
