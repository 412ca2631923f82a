//! The door: HTTP and gRPC on one port, thin over the same use cases.
//!
//! [`run`] takes a listener and a [`Gateway`]; whatever is asked goes to one
//! of the use cases of [`pizza_app`], which answer in types of the domain, and comes back
//! as JSON or as a protocol buffer. What goes wrong becomes one [`Problem`],
//! whichever door it came through.

mod arrival;
mod client;
mod connection;
mod exchanges;
mod extract;
mod gateway;
mod grpc;
mod http;
mod idempotency_key;
mod layers;
mod limits;
mod listener;
mod origin;
mod pages;
mod places;
mod problem;
mod proxies;
mod public_url;
mod rate_limits;
mod refusals;
mod request;
mod routes;
mod server;
mod streams;
mod times;
mod tls;
mod trace;
mod weights;

pub use client::Client;
pub use connection::{ExchangePlace, LastAnswer, Serves};
pub use exchanges::Exchanges;
pub use extract::bearer;
pub use gateway::Gateway;
pub use grpc::proto;
pub use http::openapi_json;
pub use limits::Limits;
pub use listener::Service;
pub use pages::SessionCookie;
pub use problem::Problem;
pub use proxies::{ForwardedHeader, TrustedProxies};
pub use public_url::{PublicUrl, PublicUrlError};
pub use rate_limits::{Rate, RateError, RateLimits};
pub use server::run;
pub use tls::{Tls, TlsError};
