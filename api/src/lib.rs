//! The door: HTTP and gRPC on one port, thin over the same use cases.
//!
//! [`run`] takes a listener and a [`Gateway`]; whatever is asked goes to one
//! of the [`usecases`], which answer in types of the domain, and comes back
//! as JSON or as a protocol buffer. What goes wrong becomes one [`Problem`],
//! whichever door it came through.

mod arrival;
mod client;
mod connection;
mod cook;
mod exchanges;
mod feed;
mod gateway;
mod grpc;
mod http;
mod idempotency_key;
mod keys;
mod lately;
mod layers;
mod limits;
mod listener;
mod numbers;
mod operator;
mod origin;
mod pages;
mod places;
mod problem;
mod proxies;
mod rate_limits;
mod refusals;
mod server;
mod streams;
pub mod timeline;
mod times;
mod tls;
mod trace;
mod unique_json;
pub mod usecases;
mod viewer;
mod weights;

pub use client::Client;
pub use connection::{ExchangePlace, LastAnswer, Serves};
pub use exchanges::Exchanges;
pub use gateway::{Gateway, PublicUrl, PublicUrlError};
pub use grpc::proto;
pub use http::openapi_json;
pub use keys::{InvalidKeys, KeyFault, KeyHash, Keyring, Principal, Role, is_key_name};
pub use lately::Lately;
pub use limits::Limits;
pub use listener::Service;
pub use operator::bearer;
pub use problem::{ErrorCode, Problem};
pub use proxies::{ForwardedHeader, TrustedProxies};
pub use rate_limits::{Rate, RateError, RateLimits};
pub use server::run;
pub use tls::{Tls, TlsError};
pub use viewer::Viewer;
