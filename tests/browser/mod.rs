//! The pages, in a real browser.
//!
//! They need Chromium and its driver (Debian: `chromium`, `chromium-driver`),
//! and install nothing: they run where `PIZZA_BROWSER_TESTS=required` is set,
//! and say so where it is not.

mod driver;
mod kitchen;
mod looks;
mod operator;
mod orders;
mod streams;

use driver::Browser;

/// Runs a test in a browser of its own, if there is one.
macro_rules! in_a_browser {
    ($browser:ident) => {
        let Some($browser) = $crate::browser::Browser::start().await else {
            return;
        };
    };
}

use in_a_browser;
