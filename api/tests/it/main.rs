//! The gateway from outside, without a Temporal behind it.

mod bad_input;
mod certificates;
mod contract;
mod customers;
mod deadlines;
mod error_pages;
mod failures;
mod finding;
mod forms;
mod grpc;
mod http2;
mod kitchens;
mod many_watchers;
#[path = "../../../tests/harness/openapi.rs"]
mod openapi;
mod operator_pages;
mod operators;
mod origins;
mod overload;
mod placing;
mod rates;
mod shop;
mod slow_clients;
mod store_alone;
mod store_away;
mod streams;
mod support;
mod temporal_away;
mod timeline;
mod tls;
mod watching;
