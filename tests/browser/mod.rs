//! The pages, in a real browser.
//!
//! They need Chromium and its driver (Debian: `chromium`, `chromium-driver`),
//! and install nothing: where there is none they say so and pass, unless
//! `PIZZA_BROWSER_TESTS=required` says that there has to be one, as CI does.

mod driver;
mod forms;
mod kitchen;
mod looks;
mod newcomer;
mod operator;
mod orders;
mod streams;

use driver::Browser;

use crate::harness::{Setup, World};

/// The first answer of each page is smaller, in bytes.
const FIRST_ANSWER: u64 = 50_000;

/// A shop whose kitchen is the test, and may take its time.
async fn shop_without_kitchen() -> World {
    World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 120.0,
        ..Setup::default()
    })
    .await
}

/// Runs a test in a browser of its own, if there is one.
macro_rules! in_a_browser {
    ($browser:ident) => {
        let Some($browser) = $crate::browser::Browser::start().await else {
            return;
        };
    };
}

use in_a_browser;
