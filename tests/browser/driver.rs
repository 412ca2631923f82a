//! A headless Chromium, driven as a person would.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use temporal_dev_server::find_program;
use temporalio_common::telemetry::ensure_default_crypto_provider;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::extensions::query::ElementPollerNoWait;
use thirtyfour::prelude::*;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::harness::process::Process;
use crate::harness::{SOON, eventually, folder};

/// How many browsers run at once: each takes a good part of a small machine.
static BROWSERS: Semaphore = Semaphore::const_new(2);

/// Name a browser and a driver other than those on `PATH`.
const BROWSER: &str = "CHROMIUM";
const DRIVER: &str = "CHROMEDRIVER";

/// Says that there has to be a browser.
const REQUIRED: &str = "PIZZA_BROWSER_TESTS";

/// What the driver writes once it listens.
const STARTED: &str = "started successfully on port ";

/// A browser. Dropped, it is ended with all that it started.
pub(crate) struct Browser {
    driver: WebDriver,
    _process: Process,
    _place: SemaphorePermit<'static>,
}

/// The driver and the browser, where both are installed.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |named: &str, names: &[&str]| {
        let on_path = || names.iter().find_map(|name| find_program(name, &path));
        std::env::var_os(named).map(PathBuf::from).or_else(on_path)
    };
    let browser = find(BROWSER, &["chromium", "chromium-browser"]);
    let found = find(DRIVER, &["chromedriver"]).zip(browser);
    if found.is_none() {
        let missing = "chromium or chromedriver is not on PATH \
                       (Debian: apt-get install chromium chromium-driver), \
                       and CHROMIUM and CHROMEDRIVER do not name them";
        let is_required = std::env::var(REQUIRED).is_ok_and(|it| it == "required");
        assert!(!is_required, "{REQUIRED}=required, and {missing}");
        // Not by a macro: what those print of a test that passes, nobody sees.
        let line = format!("\n*** SKIPPED: a test of the pages did not run: {missing} ***\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    found
}

impl Browser {
    /// A new browser that knows nobody; none where none is installed.
    pub(crate) async fn start() -> Option<Self> {
        let (driver, browser) = installed()?;
        // The driver's client wants one even where there is nothing to encrypt.
        ensure_default_crypto_provider();
        let place = BROWSERS.acquire().await.expect("never closed");
        let folder = folder::new("browser");
        let process = Process::program(&driver, &folder, "chromedriver", &["--port=0"], &[]);
        let port = eventually(SOON, "the driver listens", async || {
            let said = process.stdout();
            let (_, after) = said.split_once(STARTED)?;
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            after.contains('\n').then_some(digits)
        })
        .await;
        let mut wanted = DesiredCapabilities::chrome();
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        for argument in [
            "--headless=new",
            // Tests run in containers, as root, with little shared memory.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1100,1400",
            profile.as_str(),
        ] {
            wanted.add_arg(argument).expect("an argument");
        }
        wanted
            .set_binary(browser.to_str().expect("UTF-8"))
            .expect("a binary");
        for log in ["browser", "performance"] {
            let set = wanted.set_logging_prefs(log, LoggingPrefsLogLevel::All);
            set.expect("a log");
        }
        let url = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(url, wanted).await.expect("a browser");
        // What is waited for, and for how long, the tests say.
        driver.set_poller(Arc::new(ElementPollerNoWait));
        Some(Self {
            driver,
            _process: process,
            _place: place,
        })
    }

    /// Opens an address.
    pub(crate) async fn visit(&self, url: &str) {
        self.driver.goto(url).await.expect("a page");
    }

    /// Opens an address in a tab of its own, in front of the others.
    pub(crate) async fn visit_in_a_new_tab(&self, url: &str) {
        let tab = self.driver.new_tab().await.expect("a tab");
        self.driver.switch_to_window(tab).await.expect("the tab");
        self.visit(url).await;
    }

    /// Opens an address in a window of its own, beside the others.
    pub(crate) async fn visit_in_a_new_window(&self, url: &str) {
        let window = self.driver.new_window().await.expect("a window");
        self.driver
            .switch_to_window(window)
            .await
            .expect("the window");
        self.visit(url).await;
    }

    /// Drives the tab or window that was opened as this one, from 0. It comes
    /// to the front only when that is wanted.
    pub(crate) async fn turn_to_tab(&self, tab: usize, in_front: bool) {
        let tabs = self.driver.windows().await.expect("tabs");
        let turned = self.driver.switch_to_window(tabs[tab].clone()).await;
        turned.expect("the tab");
        if in_front {
            let cdp = self.driver.cdp();
            let raised = cdp.send_raw("Page.bringToFront", json!({}));
            raised.await.expect("in front");
        }
    }

    /// Goes back to the page before.
    pub(crate) async fn back(&self) {
        self.driver.back().await.expect("the page before");
    }

    /// What a script gives.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        let answer = self.driver.execute(script, arguments).await;
        answer.expect("an answer of the page").json().clone()
    }

    /// Where the browser is.
    pub(crate) async fn path(&self) -> String {
        let url = self.driver.current_url().await.expect("an address");
        url.path().to_owned()
    }

    /// Waits until the browser is at this path.
    pub(crate) async fn until_at(&self, path: &str) {
        let what = format!("the browser is at {path}");
        eventually(SOON, &what, async || {
            self.path().await.starts_with(path).then_some(())
        })
        .await;
    }

    /// Waits for an element, by CSS.
    pub(crate) async fn element(&self, css: &str) -> WebElement {
        let what = format!("{css} is in the page");
        eventually(SOON, &what, async || {
            self.driver.find(By::Css(css)).await.ok()
        })
        .await
    }

    /// Whether there is an element, by CSS.
    pub(crate) async fn has(&self, css: &str) -> bool {
        self.driver.find(By::Css(css)).await.is_ok()
    }

    /// Waits for an element, and clicks it. One that is drawn anew meanwhile
    /// is looked for again.
    pub(crate) async fn click(&self, css: &str) {
        let what = format!("{css} is clicked");
        eventually(SOON, &what, async || {
            let element = self.driver.find(By::Css(css)).await.ok()?;
            element.click().await.ok()
        })
        .await;
    }

    /// Clicks what asks whether it is meant, and says yes.
    pub(crate) async fn click_and_confirm(&self, css: &str) {
        self.click(css).await;
        eventually(SOON, "a question is asked", async || {
            self.driver.accept_alert().await.ok()
        })
        .await;
    }

    /// Types a text in place of what is there. A field that is drawn anew
    /// meanwhile is looked for again.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let what = format!("{css} takes {text:?}");
        eventually(SOON, &what, async || {
            let field = self.driver.find(By::Css(css)).await.ok()?;
            field.clear().await.ok()?;
            field.send_keys(text).await.ok()
        })
        .await;
    }

    /// Puts a text in place of what is there. A driver types no characters
    /// beyond the first plane.
    pub(crate) async fn put(&self, css: &str, text: &str) {
        self.element(css).await;
        let script = "const field = document.querySelector(arguments[0]); \
            field.value = arguments[1]; field.dispatchEvent(new Event('input', {bubbles: true}))";
        self.run(script, vec![json!(css), json!(text)]).await;
    }

    /// Chooses an option by its value.
    pub(crate) async fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value='{value}']")).await;
    }

    /// The text of the page as a person sees it.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText", Vec::new()).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    pub(crate) async fn until_it_says(&self, text: &str) {
        let what = format!("the page says {text:?}");
        eventually(SOON, &what, async || {
            self.text().await.contains(text).then_some(())
        })
        .await;
    }

    /// The saga's steps as the picture's list tells them, and the kitchen's
    /// stages, by name.
    pub(crate) async fn picture(&self) -> BTreeMap<String, String> {
        let script = "return Object.fromEntries(\
            [...document.querySelectorAll('li[data-state]')].map((it) => \
            [it.dataset.step ?? it.dataset.stage, it.dataset.state]))";
        serde_json::from_value(self.run(script, Vec::new()).await).expect("a picture")
    }

    /// Waits until the picture has these states.
    pub(crate) async fn until_pictured(&self, expected: &[(&str, &str)]) {
        let what = format!("the picture shows {expected:?}");
        eventually(SOON, &what, async || {
            let picture = self.picture().await;
            let is_so =
                |(step, state): &(&str, &str)| picture.get(*step).is_some_and(|it| it == state);
            expected.iter().all(is_so).then_some(())
        })
        .await;
    }

    /// Signs in with a key, wherever that is asked for.
    pub(crate) async fn sign_in(&self, key: &str) {
        self.fill("#key", key).await;
        self.click("#key ~ button").await;
    }

    /// Shows pages as on another screen.
    pub(crate) async fn screen(&self, width: u32, height: u32, scheme: &str) {
        let cdp = self.driver.cdp();
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        let sized = cdp.send_raw("Emulation.setDeviceMetricsOverride", size);
        sized.await.expect("a screen");
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        let set = cdp.send_raw("Emulation.setEmulatedMedia", media);
        set.await.expect("a scheme");
    }

    /// Keeps what the screen shows.
    pub(crate) async fn keep(&self, file: &Path) {
        self.driver.screenshot(file).await.expect("a picture");
    }

    /// From now on no page's script runs. What the tests run still does.
    pub(crate) async fn without_scripts(&self) {
        let off = json!({ "value": true });
        let cdp = self.driver.cdp();
        let done = cdp.send_raw("Emulation.setScriptExecutionDisabled", off);
        done.await.expect("no scripts");
    }

    /// What went over the network since this was last asked: each request,
    /// method and path, ids and hashes left out, and `event` for each that a
    /// stream told.
    pub(crate) async fn traffic(&self) -> Vec<String> {
        let log = self.driver.get_log("performance").await.expect("a log");
        let told = log.iter().map(|entry| {
            let told: Value = serde_json::from_str(&entry.message).expect("JSON");
            told["message"].clone()
        });
        told.filter_map(|told| match told["method"].as_str()? {
            "Network.requestWillBeSent" => asked(&told["params"]["request"]),
            "Network.eventSourceMessageReceived" => Some("event".to_owned()),
            _ => None,
        })
        .collect()
    }

    /// What the browser found wrong since this was last asked: errors of
    /// scripts, and whatever a page's policy kept it from.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("a log");
        // Answers that are errors are told here, too, and are no mistake.
        log.into_iter()
            .filter(|entry| entry.source.as_deref() != Some("network"))
            .map(|entry| entry.message)
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Left alone, it would say farewell to its driver over a connection
        // that the test's thread serves, and hold that thread up until it gives
        // up, two minutes later. The driver's process is ended anyway.
        let _ = self.driver.clone().leak();
    }
}

/// A request, as a test names it; none for what no server is asked for: parts
/// of a page itself, and the browser's own pages.
fn asked(request: &Value) -> Option<String> {
    let url = Url::parse(request["url"].as_str()?).ok()?;
    let path: Vec<_> = url.path().split('/').map(without_hash).collect();
    let method = request["method"].as_str()?;
    (url.scheme() == "http").then(|| format!("{method} {}", path.join("/")))
}

/// A part of a path, with a star for an id or a hash.
fn without_hash(part: &str) -> &str {
    let is_hash = |text: &str| {
        text.len() >= 16 && text.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
    };
    match part.split_once('-') {
        Some((_, rest)) if is_hash(rest.split('.').next().unwrap_or_default()) => "*",
        _ if is_hash(part) => "*",
        _ => part,
    }
}
