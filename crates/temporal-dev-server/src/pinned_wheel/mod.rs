//! Fetches what a Python wheel contains into a cache.
//!
//! Many a program and many a schema is published as a wheel, and a machine that has Python has
//! pip, which checks the hashes that pin it. [`fetch`] gives the folder with the contents of a
//! wheel; it is complete before it gets its name in the cache, so that neither a killed fetch
//! nor two at once leave half of one there. [`install`] gives them in a folder of its own, for
//! whoever wants a single file of it.
//!
//! ```no_run
//! # async fn example() -> Result<(), temporal_dev_server::pinned_wheel::FetchError> {
//! use temporal_dev_server::pinned_wheel::{FetchOptions, Wheel, cache_dir, fetch};
//!
//! const SCHEMAS: Wheel = Wheel {
//!     name: "some-schemas-1.2.3",
//!     requirements: "some-schemas==1.2.3 --hash=sha256:...",
//!     built_for: None,
//!     megabytes: 1,
//!     programs: &[],
//! };
//! let cache = cache_dir("SOME_CACHE", "some-product");
//! let folder = fetch(&SCHEMAS, &FetchOptions::new(cache, "SOME_CACHE")).await?;
//! let schema = folder.join("some_schemas/schema.json");
//! # Ok(()) }
//! ```

mod cache;
mod fetch;
mod pip;
mod wheel;

pub use cache::cache_dir;
#[cfg(feature = "temporal")]
pub(crate) use fetch::tell_on_stderr;
pub use fetch::{FetchError, FetchOptions, Installed, fetch, install};
pub use wheel::Wheel;
