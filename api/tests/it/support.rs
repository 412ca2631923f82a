//! A gateway on a free port, over a store of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use pizza_api::{Gateway, Limits};
use pizza_app::TemporalGateway;
use pizza_app::keys::{KeyHash, Role};
use pizza_store::{Store, StoreOptions};
use reqwest::{Method, Response};
use serde_json::Value;
use tempfile::TempDir;
use temporalio_client::{ClientOptions, ConnectionOptions, Url};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The key of the one operator that the gateway knows.
pub(crate) const OPERATOR_KEY: &str = "pizza_op_of-the-tests";

/// The key of the one kitchen that the gateway knows.
pub(crate) const KITCHEN_KEY: &str = "pizza_ki_of-the-tests";

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestGateway {
    pub(crate) address: SocketAddr,
    pub(crate) store_url: String,
    pub(crate) http: reqwest::Client,
    shutdown: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
    _folder: Option<TempDir>,
}

impl TestGateway {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::with(|gateway| gateway.limits = limits).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Gateway)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pizza.db");
        let options = StoreOptions::new(format!("sqlite:{}", file.display()));
        Self {
            _folder: Some(folder),
            ..Self::on(options, change).await
        }
    }

    /// On a store that is there already.
    pub(crate) async fn on(options: StoreOptions, change: impl FnOnce(&mut Gateway)) -> Self {
        let store_url = options.url.clone();
        let store = Store::open(options).await.expect("a store");
        let mut gateway = Gateway::new(nobody().await, store);
        gateway.use_cases.settings.temporal_timeout = Duration::from_millis(500);
        gateway.use_cases.settings.report_timeout = Duration::from_millis(500);
        gateway.use_cases.settings.fault_injection = true;
        gateway
            .keys
            .add_hash(Role::Operator, "ann", KeyHash::of(OPERATOR_KEY))
            .expect("a key");
        gateway
            .keys
            .add_hash(Role::Kitchen, "oven", KeyHash::of(KITCHEN_KEY))
            .expect("a key");
        // What the tests that write their requests by hand call it.
        gateway.allowed_hosts = vec![url::Host::Domain("a".to_owned())];
        change(&mut gateway);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its number");
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(pizza_api::run(listener, gateway, shutdown.clone()));
        Self {
            address,
            store_url,
            http: http_client(),
            shutdown,
            running,
            _folder: None,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http
            .get(self.url(path))
            .send()
            .await
            .expect("an answer")
    }

    /// Posts a body as JSON.
    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.http
            .post(self.url(path))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .expect("an answer")
    }

    /// Calls with a body as JSON, and with the authorization that is given.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: &str,
    ) -> Response {
        let method: Method = method.to_uppercase().parse().expect("a method");
        let mut request = self.http.request(method, self.url(path));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.to_owned());
        request.send().await.expect("an answer")
    }

    /// Calls as the operator.
    pub(crate) async fn operate(&self, method: &str, path: &str, body: &str) -> Response {
        let authorization = format!("Bearer {OPERATOR_KEY}");
        self.call(method, path, Some(&authorization), body).await
    }

    /// Calls as the kitchen.
    pub(crate) async fn cook(&self, method: &str, path: &str, body: &str) -> Response {
        let authorization = format!("Bearer {KITCHEN_KEY}");
        self.call(method, path, Some(&authorization), body).await
    }

    pub(crate) async fn connect(&self) -> RawClient {
        RawClient(
            TcpStream::connect(self.address)
                .await
                .expect("a connection"),
        )
    }

    /// A client for which the network keeps little that it has not read.
    pub(crate) async fn connect_with_small_buffer(&self) -> RawClient {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a size");
        RawClient(socket.connect(self.address).await.expect("a connection"))
    }

    /// Asks the gateway to stop, and says how long that took.
    pub(crate) async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.shutdown.cancel();
        timeout(PATIENCE, self.running)
            .await
            .expect("it stops")
            .expect("without a panic")
            .expect("without an error");
        asked.elapsed()
    }
}

/// Where no Temporal listens.
async fn nobody() -> TemporalGateway {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    temporal_at(listener.local_addr().expect("its number"))
}

/// The way to a Temporal at this address.
pub(crate) fn temporal_at(address: SocketAddr) -> TemporalGateway {
    let target = Url::parse(&format!("http://{address}")).expect("a URL");
    TemporalGateway::new(
        ConnectionOptions::new(target).build(),
        ClientOptions::new("default").build(),
    )
}

/// A client that says exactly what it is told to.
pub(crate) struct RawClient(pub(crate) TcpStream);

impl RawClient {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("sent");
    }

    /// Sends one byte at a time until the gateway has had enough.
    pub(crate) async fn drip(&mut self, bytes: &[u8], pause: Duration) {
        for byte in bytes.iter().cycle() {
            if self.0.write_all(&[*byte]).await.is_err() {
                return;
            }
            let mut end = [0; 1];
            // An answer, or the end.
            if timeout(pause, self.0.peek(&mut end)).await.is_ok() {
                return;
            }
        }
    }

    /// The first line that the gateway says.
    pub(crate) async fn first_line(&mut self) -> String {
        let mut line = String::new();
        let mut reader = BufReader::new(&mut self.0);
        reader.read_line(&mut line).await.expect("a line");
        line
    }

    /// What the gateway says until it closes the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut said = Vec::new();
        // A reset is a way to close, too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut said))
            .await
            .expect("the gateway closes");
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl RawClient {
    /// Reads until the gateway has closed the connection, and says how: where
    /// it was cut, with an error.
    pub(crate) async fn until_closed(&mut self) -> io::Result<()> {
        let mut said = [0; 4096];
        let reading = async {
            while self.0.read(&mut said).await? > 0 {}
            Ok(())
        };
        let end = timeout(PATIENCE, reading).await;
        end.expect("the gateway closes")
    }

    /// What Linux lists the gateway's end of the connection as.
    #[cfg(target_os = "linux")]
    pub(crate) fn listed_as(&self) -> String {
        let ends = [self.0.peer_addr(), self.0.local_addr()];
        let ends = ends.map(|end| format!("0100007F:{:04X}", end.expect("an address").port()));
        ends.join(" ")
    }
}

/// Waits until Linux lists a connection, or lists it no more.
#[cfg(target_os = "linux")]
pub(crate) async fn until_listed(connection: &str, is_expected: bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
        let line = listed.lines().find(|line| line.contains(connection));
        if line.is_some() == is_expected {
            return;
        }
        assert!(Instant::now() < deadline, "{connection}: {line:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Reads a problem, and checks what all have in common.
pub(crate) async fn problem(response: Response) -> Value {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text"));
    assert_eq!(header("content-type"), Some("application/problem+json"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["status"], status);
    assert_eq!(problem["requestId"].as_str(), header("x-request-id"));
    let code = problem["code"].as_str().expect("a code");
    assert_eq!(problem["type"], format!("/errors/{code}"));
    assert!(!problem["title"].as_str().expect("a title").is_empty());
    assert!(!problem["detail"].as_str().expect("a detail").is_empty());
    assert!(
        problem["instance"]
            .as_str()
            .expect("a path")
            .starts_with('/')
    );
    if status == 503 {
        let wait: u64 = header("retry-after")
            .expect("a wait")
            .parse()
            .expect("seconds");
        assert!((1..=5).contains(&wait));
    }
    problem
}

fn http_client() -> reqwest::Client {
    choose_cryptography();
    reqwest::Client::new()
}

/// Chooses the cryptography of this process, which HTTP clients leave to it.
pub(crate) fn choose_cryptography() {
    // Whichever test comes first does.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}
