//! `OrderService/GetTimeline`.

use pizza_app::UseCaseError;
use pizza_app::access::Viewer;
use pizza_app::timeline::{Detail, Entry, Kind, Outcome, Source, SourceState, Timeline};

use super::convert::timestamp;
use super::proto::{self, GetTimelineRequest, GetTimelineResponse};
use crate::gateway::App;

pub(super) async fn serve(
    app: &App,
    viewer: &Viewer,
    request: GetTimelineRequest,
) -> Result<GetTimelineResponse, UseCaseError> {
    let id = super::convert::order_id(&request.order_id)?;
    let timeline = app.use_cases().get_timeline(viewer, id).await?;
    Ok(timeline.into())
}

impl From<Timeline> for GetTimelineResponse {
    fn from(timeline: Timeline) -> Self {
        Self {
            order_id: timeline.order_id.unwrap_or_default(),
            placed_at: timeline.placed_at.map(timestamp),
            store: state(timeline.sources.store).into(),
            temporal: state(timeline.sources.temporal).into(),
            truncated: timeline.truncated,
            entries: timeline.entries.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Entry> for proto::TimelineEntry {
    fn from(entry: Entry) -> Self {
        Self {
            at: Some(timestamp(entry.at_ms)),
            kind: kind(entry.kind).into(),
            source: source(entry.source).into(),
            what: entry.what,
            attempts: entry.attempts,
            duration_ms: entry.duration_ms,
            outcome: entry.outcome.map(|it| outcome(it).into()),
            detail: Some(entry.detail.into()),
        }
    }
}

impl From<Detail> for proto::TimelineDetail {
    fn from(detail: Detail) -> Self {
        Self {
            workflow_id: detail.workflow_id,
            activity: detail.activity,
            local: detail.local,
            for_ms: detail.for_ms,
            request: detail.request,
            code: detail.code,
            message: detail.message,
            version: detail.version,
            status: detail.status,
            money: detail.money,
            points: detail.points,
            flavour: detail.flavour,
            size: detail.size,
            quantity: detail.quantity,
            total_minor: detail.total,
            amendment: detail.amendment,
            entry: detail.entry,
            amount: detail.amount,
            event: detail.event,
            report_id: detail.report_id,
            task_id: detail.task_id,
            queue: detail.queue,
            message_type: detail.message_type,
            state: detail.state,
            principal: detail.principal,
            reason: detail.reason,
        }
    }
}

const fn state(state: SourceState) -> proto::TimelineSourceState {
    match state {
        SourceState::Read => proto::TimelineSourceState::Read,
        SourceState::Partial => proto::TimelineSourceState::Partial,
        SourceState::Empty => proto::TimelineSourceState::Empty,
        SourceState::Unavailable => proto::TimelineSourceState::Unavailable,
        // A gateway asks both.
        SourceState::NotAsked => proto::TimelineSourceState::Unspecified,
    }
}

const fn source(source: Source) -> proto::TimelineSource {
    match source {
        Source::Store => proto::TimelineSource::Store,
        Source::Temporal => proto::TimelineSource::Temporal,
    }
}

const fn kind(kind: Kind) -> proto::TimelineKind {
    match kind {
        Kind::Placed => proto::TimelineKind::Placed,
        Kind::Start => proto::TimelineKind::Start,
        Kind::Request => proto::TimelineKind::Request,
        Kind::Step => proto::TimelineKind::Step,
        Kind::Wait => proto::TimelineKind::Wait,
        Kind::Payment => proto::TimelineKind::Payment,
        Kind::Points => proto::TimelineKind::Points,
        Kind::Report => proto::TimelineKind::Report,
        Kind::Amendment => proto::TimelineKind::Amendment,
        Kind::Status => proto::TimelineKind::Status,
        Kind::Change => proto::TimelineKind::Change,
        Kind::Notification => proto::TimelineKind::Notification,
        Kind::ParkedTask => proto::TimelineKind::ParkedTask,
        Kind::End => proto::TimelineKind::End,
    }
}

const fn outcome(outcome: Outcome) -> proto::TimelineOutcome {
    match outcome {
        Outcome::Ok => proto::TimelineOutcome::Ok,
        Outcome::Refused => proto::TimelineOutcome::Refused,
        Outcome::Failed => proto::TimelineOutcome::Failed,
        Outcome::Cancelled => proto::TimelineOutcome::Cancelled,
        Outcome::Terminated => proto::TimelineOutcome::Terminated,
        Outcome::TimedOut => proto::TimelineOutcome::TimedOut,
        Outcome::ContinuedAsNew => proto::TimelineOutcome::ContinuedAsNew,
        Outcome::Running => proto::TimelineOutcome::Running,
    }
}
