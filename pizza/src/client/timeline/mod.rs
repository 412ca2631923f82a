//! What happened to an order: asked of a gateway, or drawn from exported
//! histories with nobody to ask.

mod draw;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use pizza_app::timeline::{SourceState, Timeline, from_histories};
use pizza_client::Gateway;
use pizza_domain::OrderId;
use temporal_replay::read_history;
use temporalio_common::protos::temporal::api::history::v1::History;

use super::output;
use crate::{codec_keys, temporal};

/// Tells what happened to an order.
pub(super) async fn of_order(
    gateway: &Gateway,
    id: OrderId,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let answer = gateway.timeline(id).await?;
    if json {
        output::json(&answer.json);
    } else {
        show(&answer.view);
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells what happened by the histories in these files alone.
pub(super) async fn of_files(files: Vec<PathBuf>, json: bool) -> anyhow::Result<ExitCode> {
    let cipher = temporal::cipher()?;
    let (files, mut histories) =
        tokio::task::spawn_blocking(move || read_all(&files).map(|histories| (files, histories)))
            .await
            .context("reading a file was interrupted")??;
    for (file, history) in files.iter().zip(&mut histories) {
        codec_keys::open(history, cipher.as_ref())
            .await
            .map_err(|error| anyhow!("{}: {error:#}", output::plain(&name(file))))?;
    }
    let timeline = merged(&files, &histories)?;
    if json {
        output::data(&serde_json::to_string(&timeline)?);
    } else {
        show(&timeline);
    }
    Ok(ExitCode::SUCCESS)
}

/// The histories in these files. An error names its file.
fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<History>> {
    files
        .iter()
        .map(|file| {
            read_history(file).map_err(|error| anyhow!("{}: {error}", output::plain(&name(file))))
        })
        .collect()
}

/// The timeline of these histories. An error names its file.
fn merged(files: &[PathBuf], histories: &[History]) -> anyhow::Result<Timeline> {
    from_histories(histories).map_err(|foreign| {
        let file = files
            .get(foreign.place)
            .map_or_else(String::new, |it| name(it));
        anyhow!("{}: {foreign}", output::plain(&file))
    })
}

fn name(file: &Path) -> String {
    file.display().to_string()
}

fn show(timeline: &Timeline) {
    output::lines(&draw::lines(timeline));
    for note in notes(timeline) {
        output::note(note);
    }
}

/// What is missing.
fn notes(timeline: &Timeline) -> impl Iterator<Item = &'static str> {
    let steps = match timeline.sources.temporal {
        SourceState::Read | SourceState::NotAsked => None,
        SourceState::Partial => Some("some steps are missing: Temporal stopped answering"),
        SourceState::Empty => Some("the steps are missing: Temporal has no history of this order"),
        SourceState::Unavailable => Some("the steps are missing: Temporal does not answer"),
    };
    let books = match timeline.sources.store {
        SourceState::NotAsked => Some("steps alone: the store was not asked"),
        SourceState::Empty => Some("no worker has written the order to the store yet"),
        _ => None,
    };
    let rest = timeline.truncated.then_some("there is more than this");
    steps.into_iter().chain(books).chain(rest)
}
