//! The protocol's messages, services and clients (`cloud_pizza.v1`).

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from proto/"
)]

tonic::include_proto!("cloud_pizza.v1");
