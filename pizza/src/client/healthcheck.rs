//! `pizza healthcheck`: what a container's health check runs, where there is
//! neither a shell nor curl.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use pizza_client::shown;
use reqwest::{Client, redirect};
use url::Url;

/// How long the other side may take: what runs health checks gives up on its
/// own soon after.
const DEADLINE: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub(crate) struct HealthcheckArgs {
    /// What to ask, `/readyz` of a gateway for example
    #[arg(default_value = "http://127.0.0.1:8080/readyz")]
    url: Url,
}

/// Succeeds when the answer is a success.
pub(crate) async fn run(args: HealthcheckArgs) -> anyhow::Result<ExitCode> {
    let client = Client::builder()
        .timeout(DEADLINE)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()?;
    let shown = shown(&args.url);
    let answer = client
        .get(args.url)
        .send()
        .await
        .map_err(reqwest::Error::without_url)
        .with_context(|| format!("{shown} did not answer within {DEADLINE:?}"))?;
    let status = answer.status();
    ensure!(status.is_success(), "{shown} answers {status}");
    Ok(ExitCode::SUCCESS)
}
