//! The gateway from outside, without a Temporal behind it.

mod bad_input;
mod grpc;
mod overload;
mod slow_clients;
mod store_alone;
mod support;
mod temporal_away;
