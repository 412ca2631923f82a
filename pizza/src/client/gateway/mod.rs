//! The gateway's HTTP interface, from a client's side.

mod error;
mod events;
mod failures;
mod kitchen;
mod sent;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use pizza_contract::{
    CancelReason, IDEMPOTENCY_KEY, Order, OrderAmended, OrderCancelled, OrderPlaced,
};
use pizza_domain::OrderId;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::output;
use super::secret::Secret;
use crate::shown_url::{is_bare, shown};

pub(crate) use error::{CallError, Problem};
pub(crate) use failures::FailureQueues;
pub(crate) use kitchen::{KitchenDoor, ReportAnswer, SimulationView, TicketView, TicketsView};
pub(crate) use sent::Sent;

/// How long the gateway may take to answer. Longer than the gateway's own
/// limit, so that its answer is heard.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long whoever is told to come again later waits for that, all waits
/// together. A gateway that asks for more has its reasons; a person should
/// hear them.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest file of certificates, in bytes. A whole system's are 250 KB.
const MOST_CERTIFICATES: u64 = 1024 * 1024;

/// What to do when the gateway does not know which customer asks.
const NO_CUSTOMER: &str = "give a customer's key with PIZZA_KEY or --key: who runs the gateway \
                           makes one with `pizza customer-key ID`";

/// Which gateway to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct GatewayUrl {
    /// The gateway's URL
    #[arg(
        long,
        value_name = "URL",
        env = "PIZZA_GATEWAY",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) gateway: Url,
    #[command(flatten)]
    trust: TrustArgs,
}

impl GatewayUrl {
    /// A client of this gateway. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<Gateway> {
        self.trust.connect(&self.gateway)
    }
}

/// Whom a client believes that it is the gateway.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    /// The certificates in PEM that an https gateway's own is to be issued by;
    /// by default those that this machine trusts
    #[arg(long, value_name = "FILE", env = "PIZZA_CA_CERTIFICATE")]
    ca_certificate: Option<PathBuf>,
}

impl TrustArgs {
    /// A client of the gateway at `url`. Nothing is sent yet.
    pub(crate) fn connect(&self, url: &Url) -> anyhow::Result<Gateway> {
        let authorities = self.ca_certificate.as_deref().map(certificates);
        Gateway::trusting(url.clone(), authorities.transpose()?)
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let named = || format!("--ca-certificate (PIZZA_CA_CERTIFICATE) {}", path.display());
    let mut pem = Vec::new();
    let file = File::open(path).with_context(named)?;
    file.take(MOST_CERTIFICATES)
        .read_to_end(&mut pem)
        .with_context(named)?;
    let certificates = Certificate::from_pem_bundle(&pem).with_context(named)?;
    ensure!(
        !certificates.is_empty(),
        "{} holds no certificate in PEM",
        named()
    );
    Ok(certificates)
}

/// A client of a gateway.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    url: Url,
    client: Client,
    /// The key that customers' calls show.
    key: Option<Secret>,
    /// How long it waits, all waits together, where it asks too often.
    patience: Duration,
}

/// Where an order stands, with the code of its cancellation if there is one.
pub(crate) fn with_code(status: &str, cancelled: Option<&CancelReason>) -> String {
    match cancelled {
        Some(reason) => format!("{status} ({})", reason.code),
        None => status.to_owned(),
    }
}

/// One of an order's workflows.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowView {
    #[serde(rename = "type")]
    pub(crate) workflow_type: String,
    pub(crate) status: String,
    pub(crate) message_type: Option<String>,
}

/// The workflows of one order.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WorkflowsView {
    pub(crate) workflows: Vec<WorkflowView>,
}

impl Gateway {
    /// A client of the gateway at `url`. Nothing is sent yet.
    pub(crate) fn new(url: Url) -> anyhow::Result<Self> {
        Self::trusting(url, None)
    }

    /// The same, whose certificate is to be issued by one of these; none for
    /// those that this machine trusts.
    fn trusting(url: Url, authorities: Option<Vec<Certificate>>) -> anyhow::Result<Self> {
        // The message leaves the URL out: it may hold a password or a key.
        ensure!(
            is_bare(&url) && matches!(url.scheme(), "http" | "https"),
            "a gateway's URL begins with http:// or https:// and holds no user, no password, no \
             query (`?`) and no fragment (`#`); a customer's key is given with PIZZA_KEY or --key, \
             an operator's with PIZZA_OPERATOR_KEY or --operator-key"
        );
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            // What is sent to the gateway, keys included, is for the gateway.
            .redirect(redirect::Policy::none());
        if let Some(authorities) = authorities {
            client = client.tls_certs_only(authorities);
        }
        if url.scheme() == "http" {
            // A proxy would read along.
            client = client.no_proxy();
        }
        let client = client.build().context("no HTTP client can be made")?;
        Ok(Self {
            url,
            client,
            key: None,
            patience: PATIENCE,
        })
    }

    /// The same, by the right of a customer's key.
    pub(crate) fn with_key(self, key: Secret) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// The same, but it hears at once that it asks too often.
    pub(crate) fn impatient(self) -> Self {
        Self {
            patience: Duration::ZERO,
            ..self
        }
    }

    /// The menu, as it was sent.
    pub(crate) async fn menu(&self) -> Result<Value, CallError> {
        self.get(&["menu"]).await
    }

    /// Places an order; under a key, once, however often that is asked for.
    pub(crate) async fn place(
        &self,
        order: &Value,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Sent<OrderPlaced>> {
        let request = self.client.post(self.at(&["orders"])?).json(order);
        Ok(self.ask(under_key(request, idempotency_key)).await?)
    }

    /// An order.
    pub(crate) async fn order(&self, id: OrderId) -> anyhow::Result<Sent<Order>> {
        Ok(self.get(&["orders", &id.to_string()]).await?)
    }

    /// Cancels an order.
    pub(crate) async fn cancel(&self, id: OrderId) -> anyhow::Result<Sent<OrderCancelled>> {
        let url = self.at(&["orders", &id.to_string()])?;
        Ok(self.ask(self.client.delete(url)).await?)
    }

    /// Amends an order.
    pub(crate) async fn amend(
        &self,
        id: OrderId,
        wanted: &Value,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Sent<OrderAmended>> {
        let url = self.at(&["orders", &id.to_string()])?;
        let request = self.client.patch(url).json(wanted);
        Ok(self.ask(under_key(request, idempotency_key)).await?)
    }

    /// What happened to an order: the gateway's document as it is.
    pub(crate) async fn timeline(&self, id: OrderId) -> anyhow::Result<Value> {
        Ok(self.get(&["orders", &id.to_string(), "timeline"]).await?)
    }

    /// A page of orders, in the form that is asked for.
    pub(crate) async fn orders<T: DeserializeOwned>(
        &self,
        query: &[(&'static str, String)],
    ) -> anyhow::Result<T> {
        let request = self.client.get(self.at(&["orders"])?).query(query);
        Ok(self.ask(request).await?)
    }

    /// The workflows of an order, its parked tasks among them.
    pub(crate) async fn workflows(&self, id: OrderId) -> anyhow::Result<WorkflowsView> {
        let path = ["orders", &id.to_string(), "workflows"];
        Ok(self.get(&path).await?)
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CallError> {
        self.ask(self.client.get(self.at(path)?)).await
    }

    /// Asks by the right of the customer's key, and says what to do where
    /// that is the trouble.
    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        match read(self.send(self.by_right(request)).await?).await {
            Err(CallError::Refused(problem)) => Err(refused(*problem)),
            answer => answer,
        }
    }

    fn by_right(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key.text()),
            None => request,
        }
    }

    fn at(&self, path: &[&str]) -> Result<Url, CallError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| CallError::NoBase)?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    /// Sends a request, and once more after a while where the gateway says
    /// that this client asks too often: nothing came of it then.
    async fn send(&self, mut request: RequestBuilder) -> Result<Response, CallError> {
        let given_up = Instant::now() + self.patience;
        loop {
            let again = request.try_clone();
            let response = self.send_once(request).await?;
            let wait = asked_to_wait(&response).filter(|wait| Instant::now() + *wait <= given_up);
            let (Some(wait), Some(again)) = (wait, again) else {
                return Ok(response);
            };
            output::note(&format!(
                "the gateway is asked too often; trying again in {} s",
                wait.as_secs()
            ));
            tokio::time::sleep(wait).await;
            request = again;
        }
    }

    async fn send_once(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let url = || shown(&self.url);
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        answer.map_err(|source| match error::tls_fault(&source) {
            Some(fault) => CallError::Untrusted { url: url(), fault },
            None => CallError::Unreachable { url: url(), source },
        })
    }
}

/// How long this client is to wait since it asks too often.
fn asked_to_wait(response: &Response) -> Option<Duration> {
    (response.status() == StatusCode::TOO_MANY_REQUESTS)
        .then(|| error::retry_after(response))
        .flatten()
}

fn under_key(request: RequestBuilder, key: Option<&str>) -> RequestBuilder {
    match key {
        Some(key) => request.header(IDEMPOTENCY_KEY, key),
        None => request,
    }
}

/// A refusal, with what to do where the customer's key is the trouble.
fn refused(problem: Problem) -> CallError {
    if problem.status == StatusCode::UNAUTHORIZED {
        let advice = NO_CUSTOMER.to_owned();
        let problem = Box::new(problem);
        return CallError::NotAllowed { problem, advice };
    }
    CallError::Refused(Box::new(problem))
}

/// Reads a good answer, or fails with what the problem document says.
async fn read<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    if response.status().is_success() {
        let answer = response.json().await.map_err(reqwest::Error::without_url);
        return answer.map_err(CallError::Unreadable);
    }
    Err(CallError::Refused(Box::new(Problem::of(response).await)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::stub::{Answer, Stub};

    #[test]
    fn a_url_with_a_password_is_refused_without_being_repeated() {
        for url in [
            "http://alice:hunter2@localhost",
            "http://:hunter2@localhost",
            "http://localhost/?key=hunter2",
            "http://localhost/#hunter2",
            "hunter2:x",
            "ftp://localhost/hunter2",
        ] {
            let error = Gateway::new(url.parse().expect("a URL")).expect_err(url);
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
    }

    fn too_often(wait: &str) -> Answer {
        let headers = vec![("retry-after", wait.to_owned())];
        (
            429,
            headers,
            json!({ "code": "rate-limited", "detail": "later" }),
        )
    }

    #[tokio::test]
    async fn whoever_asks_too_often_comes_again_when_told_to() {
        let placed = json!({
            "message": "", "orderId": OrderId::from_uuid(uuid::Uuid::new_v4()), "statusCheck": "http://a",
        });
        let stub = Stub::start([too_often("1"), (201, Vec::new(), placed)]).await;
        let gateway = Gateway::new(stub.url.clone()).expect("a gateway");
        let order = json!({ "quantity": 3 });
        gateway
            .place(&order, Some("lunch"))
            .await
            .expect("an order");
        let asked = stub.asked();
        assert_eq!(asked.len(), 2);
        for asked in asked {
            assert_eq!(
                (asked.json(), asked.header("idempotency-key")),
                (order.clone(), "lunch")
            );
        }
    }

    #[tokio::test]
    async fn whoever_is_to_wait_too_long_hears_of_it_at_once() {
        for wait in ["60", "soon"] {
            let stub = Stub::start([too_often(wait)]).await;
            let gateway = Gateway::new(stub.url.clone()).expect("a gateway");
            let error = gateway.menu().await.expect_err("refused");
            assert!(
                error.to_string().starts_with("rate-limited (429"),
                "{error}"
            );
            assert!(error.may_pass());
            assert_eq!(stub.asked().len(), 1);
        }
    }

    #[test]
    fn a_file_that_holds_no_certificates_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing").expect("a file");
        for path in [folder.path().join("none.pem"), empty] {
            let error = certificates(&path).expect_err("no certificates");
            let told = format!("{error:#}");
            assert!(told.contains("PIZZA_CA_CERTIFICATE"), "{told}");
            assert!(told.contains(&path.display().to_string()), "{told}");
        }
    }

    #[test]
    fn what_is_named_in_a_path_stays_one_segment() {
        temporalio_common::telemetry::ensure_default_crypto_provider();
        let url = "http://localhost:8080/shop/".parse().expect("a URL");
        let gateway = Gateway::new(url).expect("a gateway");
        let path = gateway.at(&["failures", "a/../b?c#d"]).expect("a URL");
        assert_eq!(
            path.as_str(),
            "http://localhost:8080/shop/failures/a%2F..%2Fb%3Fc%23d"
        );
    }
}
