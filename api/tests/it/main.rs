//! The gateway from outside, without a Temporal behind it.

mod bad_input;
mod certificates;
mod customers;
mod error_pages;
mod failures;
mod finding;
mod grpc;
mod grpc_failures;
mod kitchens;
mod many_watchers;
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
mod support;
mod temporal_away;
mod timeline;
mod tls;
mod watching;
