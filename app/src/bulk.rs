//! Redrives or discards many parked tasks.

use failure_queue::client::{ListedTask, Page, StateFilter, TaskFilter};
use failure_queue::{
    BulkAction, BulkFilter, BulkProgress, BulkRequest, DiscardRequest, RedriveRequest,
};
use futures::{StreamExt, stream};
use pizza_domain::{InvalidField, composed};
use pizza_store::now_ms;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::discard_failure::missing_reason;
use super::error::{UseCaseError, Violation};
use super::failures::{FailureFilter, bulk_error, check_visible};
use super::idempotency::digest;
use super::idempotency_key::IdempotencyKey;
use super::show_failure::AT_ONCE;
use super::use_cases::UseCases;

/// Tasks each second unless the client says.
const DEFAULT_RATE: f64 = 20.0;
/// How many of the tasks that match a preview shows.
const SAMPLE: u32 = 10;
/// How many operations a list has.
const LATEST: u32 = 10;
/// Makes an operation's id of whose it is and of its idempotency key. It
/// never changes: by it a request is known that was sent before.
const IDS: Uuid = Uuid::from_u128(0x8d0c_5a0e_6f0f_4d3b_9a43_6a0f_2c9e_7b15);

/// What to do with which tasks, as a client says it, not checked yet.
#[derive(Clone, Debug)]
pub struct StartBulk {
    /// What to do.
    pub action: BulkAction,
    /// Whether every task is meant.
    pub all: bool,
    /// Which tasks are meant otherwise.
    pub filter: FailureFilter,
    /// Who asks.
    pub principal: String,
    /// Why; must be given for a discard.
    pub reason: Option<String>,
    /// Tasks each second, 0.1 to 100; 20 when none.
    pub rate_per_second: Option<f64>,
    /// Sent again with the same key, the request is the same operation.
    pub key: Option<IdempotencyKey>,
}

/// What an operation would act on.
#[derive(Clone, Debug)]
pub struct BulkPreview {
    /// How many tasks match.
    pub matching: u64,
    /// The latest of them.
    pub sample: Vec<ListedTask>,
}

/// An operation of a list.
#[derive(Clone, Debug)]
pub struct ListedBulk {
    /// Its id.
    pub id: String,
    /// How far it is, where that can be told.
    pub progress: Option<BulkProgress>,
}

/// An operation that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkStarted {
    /// Its id.
    pub id: String,
    /// How many tasks matched when it was asked for.
    pub matching: u64,
}

impl UseCases {
    /// What an operation would act on. Nothing is done.
    ///
    /// # Errors
    /// When a value is not allowed, or Temporal is away.
    pub async fn preview_bulk(&self, request: StartBulk) -> Result<BulkPreview, UseCaseError> {
        check_rate(request.rate_per_second)?;
        let filter = open(which(request.all, request.filter)?);
        let queues = self.queues_to_read().await?;
        let page = Page {
            size: SAMPLE,
            token: Vec::new(),
        };
        let (matching, page) = tokio::try_join!(queues.count(&filter), queues.list(&filter, page))?;
        Ok(BulkPreview {
            matching,
            sample: page.tasks,
        })
    }

    /// Starts an operation; when this returns, Temporal has it.
    ///
    /// # Errors
    /// When a value is not allowed, the key belongs to another operation, or
    /// Temporal is away.
    pub async fn start_bulk(&self, request: StartBulk) -> Result<BulkStarted, UseCaseError> {
        let is_keyed = request.key.is_some();
        let request = check(request)?;
        let queues = self.queues_to_read().await?;
        if is_keyed {
            match queues.bulk(&request.id).await.map_err(bulk_error) {
                Ok(known) => return same(&known.request, known.matching, &request),
                Err(UseCaseError::BulkNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let matching = queues.count(&open(request.filter.clone())).await?;
        let id = request.id.clone();
        queues.start_bulk(request).await?;
        Ok(BulkStarted { id, matching })
    }

    /// How far an operation is.
    ///
    /// # Errors
    /// When there is no such operation, or Temporal or its worker is away.
    pub async fn bulk(&self, id: &str) -> Result<BulkProgress, UseCaseError> {
        let id = operation(id)?;
        let queues = self.queues_to_read().await?;
        queues.bulk(&id).await.map_err(bulk_error)
    }

    /// The operations that run and those that ended last, with how far each
    /// is as far as it can be told in the time that one look may take.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn latest_bulks(&self) -> Result<Vec<ListedBulk>, UseCaseError> {
        let deadline = Instant::now() + self.settings.temporal_timeout;
        let queues = &self.queues_to_read().await?;
        let ids = queues.latest_bulks(LATEST).await?;
        let looks = ids.into_iter().map(|id| async move {
            let progress = timeout_at(deadline, queues.bulk(&id)).await;
            let progress = progress.ok().and_then(Result::ok);
            ListedBulk { id, progress }
        });
        Ok(stream::iter(looks).buffered(AT_ONCE).collect().await)
    }

    /// Stops an operation once the tasks under way are through, and tells how
    /// far it came.
    ///
    /// # Errors
    /// When there is no such operation, or Temporal or its worker is away.
    pub async fn stop_bulk(&self, id: &str, principal: &str) -> Result<BulkProgress, UseCaseError> {
        let id = operation(id)?;
        let queues = self.queues_to_read().await?;
        queues.stop_bulk(&id, principal).await.map_err(bulk_error)?;
        queues.bulk(&id).await.map_err(bulk_error)
    }
}

/// An operation's id, as this gateway gives them.
fn operation(id: &str) -> Result<String, UseCaseError> {
    Uuid::try_parse(id)
        .map(|id| id.to_string())
        .map_err(|_| UseCaseError::BulkNotFound)
}

fn open(tasks: BulkFilter) -> TaskFilter {
    let state = StateFilter::Open;
    TaskFilter { tasks, state }
}

fn check(mut request: StartBulk) -> Result<BulkRequest, UseCaseError> {
    let rate_per_second = check_rate(request.rate_per_second)?;
    request.reason = request.reason.as_deref().map(composed);
    check_reason(
        request.action,
        &request.principal,
        request.reason.as_deref(),
    )?;
    // Last, since it is about several fields.
    let filter = which(request.all, request.filter.clone())?;
    let asked = asked(&request, &filter, rate_per_second);
    Ok(BulkRequest {
        asked: Some(asked),
        id: id(&request.principal, request.key.as_ref()),
        action: request.action,
        filter,
        principal: request.principal,
        reason: request.reason,
        rate_per_second,
    })
}

/// Which tasks are meant. Every one of them only when somebody says so: a
/// filter that was forgotten must not be one that fits all.
fn which(all: bool, filter: FailureFilter) -> Result<BulkFilter, UseCaseError> {
    let refused = |violation, expected: &str| {
        let field = InvalidField {
            field: "all",
            expected: expected.to_owned(),
        };
        Err(UseCaseError::invalid(violation, field))
    };
    match (all, filter.is_empty()) {
        (true, false) => refused(
            Violation::InvalidValue,
            "cannot be asked for together with a filter",
        ),
        (false, true) => refused(
            Violation::Missing,
            "is missing: give a filter, or true for every task",
        ),
        _ => filter.check(now_ms()),
    }
}

fn check_rate(rate: Option<f64>) -> Result<f64, UseCaseError> {
    let rate = rate.unwrap_or(DEFAULT_RATE);
    if (0.1..=100.0).contains(&rate) {
        return Ok(rate);
    }
    let field = InvalidField {
        field: "ratePerSecond",
        expected: "must be from 0.1 to 100".to_owned(),
    };
    Err(UseCaseError::invalid(Violation::OutOfRange, field))
}

/// Each task will be asked with this reason, so it is checked as theirs.
fn check_reason(
    action: BulkAction,
    principal: &str,
    reason: Option<&str>,
) -> Result<(), UseCaseError> {
    check_visible("reason", reason)?;
    let principal = principal.to_owned();
    let reason = reason.map(str::to_owned);
    let checked = match action {
        BulkAction::Redrive => RedriveRequest {
            principal,
            reason,
            ..RedriveRequest::default()
        }
        .check(),
        BulkAction::Discard => DiscardRequest {
            principal,
            reason: reason.ok_or_else(missing_reason)?,
            request_id: None,
        }
        .check(),
    };
    Ok(checked?)
}

fn id(principal: &str, key: Option<&IdempotencyKey>) -> String {
    let id = key.map_or_else(Uuid::new_v4, |key| {
        // No name has a slash.
        Uuid::new_v5(&IDS, format!("{principal}/{}", key.as_str()).as_bytes())
    });
    id.to_string()
}

/// A digest of what a client asked for, whenever it did: ages as they were
/// given, not the times that they reach back to.
fn asked(request: &StartBulk, filter: &BulkFilter, rate_per_second: f64) -> String {
    let age = |seconds: Option<i128>| seconds.and_then(|it| i64::try_from(it).ok());
    digest(&json!([
        request.action,
        but_times(filter),
        age(request.filter.older_than_seconds),
        age(request.filter.newer_than_seconds),
        request.reason,
        rate_per_second,
    ]))
}

/// A filter without the times that its ages reach back to at one moment.
fn but_times(filter: &BulkFilter) -> BulkFilter {
    BulkFilter {
        parked_before_ms: None,
        parked_after_ms: None,
        ..filter.clone()
    }
}

/// The operation that was started under this key before, if it is the one
/// that is asked for now.
fn same(
    known: &BulkRequest,
    matching: u64,
    asked: &BulkRequest,
) -> Result<BulkStarted, UseCaseError> {
    let is_same = match &known.asked {
        Some(_) => known.asked == asked.asked,
        // It was started by a version that did not keep what was asked for.
        None => {
            let but_times = |request: &BulkRequest| BulkRequest {
                filter: but_times(&request.filter),
                asked: None,
                ..request.clone()
            };
            but_times(known) == but_times(asked)
        }
    };
    if is_same {
        let id = asked.id.clone();
        return Ok(BulkStarted { id, matching });
    }
    let field = InvalidField {
        field: pizza_contract::IDEMPOTENCY_KEY,
        expected: "belongs to another bulk operation".to_owned(),
    };
    Err(UseCaseError::invalid(Violation::InvalidValue, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizza_contract::ErrorCode;

    fn discard_all() -> StartBulk {
        StartBulk {
            action: BulkAction::Discard,
            all: true,
            filter: FailureFilter::default(),
            principal: "ann".to_owned(),
            reason: Some("paid by hand".to_owned()),
            rate_per_second: None,
            key: None,
        }
    }

    fn refused(change: impl FnOnce(&mut StartBulk)) -> Option<ErrorCode> {
        let mut request = discard_all();
        change(&mut request);
        check(request).err().map(|error| error.code())
    }

    #[test]
    fn every_task_is_meant_only_when_that_is_said() {
        let of_queue = FailureFilter {
            queue: Some("refund-payment".to_owned()),
            ..FailureFilter::default()
        };
        let both = of_queue.clone();
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|r| r.all = false), Some(ErrorCode::MissingField));
        assert_eq!(refused(|r| r.filter = both), Some(ErrorCode::InvalidValue));
        let filtered = refused(|r| {
            r.all = false;
            r.filter = of_queue;
        });
        assert_eq!(filtered, None);
    }

    #[test]
    fn a_discard_is_explained_and_the_rate_is_bounded() {
        assert_eq!(refused(|r| r.reason = None), Some(ErrorCode::MissingField));
        let blank = refused(|r| r.reason = Some("\u{200B} ".to_owned()));
        assert_eq!(blank, Some(ErrorCode::InvalidValue));
        let redrive = refused(|r| {
            r.action = BulkAction::Redrive;
            r.reason = None;
        });
        assert_eq!(redrive, None);
        for rate in [0.1, 100.0] {
            assert_eq!(refused(|r| r.rate_per_second = Some(rate)), None);
        }
        for rate in [0.0, 0.09, 100.1, -1.0, f64::NAN, f64::INFINITY] {
            let out = refused(|r| r.rate_per_second = Some(rate));
            assert_eq!(out, Some(ErrorCode::OutOfRange), "{rate}");
        }
    }

    #[test]
    fn a_key_is_its_holders_own() {
        let key = IdempotencyKey::parse("monday").expect("a key");
        let other = IdempotencyKey::parse("tuesday").expect("a key");
        assert_eq!(id("ann", Some(&key)), id("ann", Some(&key)));
        assert_ne!(id("ann", Some(&key)), id("bob", Some(&key)));
        assert_ne!(id("ann", Some(&key)), id("ann", Some(&other)));
        assert_ne!(id("ann", None), id("ann", None));
    }

    #[test]
    fn a_key_stands_for_one_operation() {
        let known = |change: fn(&mut StartBulk)| {
            let mut before = discard_all();
            change(&mut before);
            let mut known = check(before).expect("a request");
            let request = check(discard_all()).expect("a request");
            known.id.clone_from(&request.id);
            same(&known, 3, &request)
                .map(|started| started.matching)
                .map_err(|error| error.code())
        };
        assert_eq!(known(|_| ()), Ok(3));
        assert_eq!(known(|r| r.rate_per_second = Some(DEFAULT_RATE)), Ok(3));
        let refused = Err(ErrorCode::InvalidValue);
        assert_eq!(known(|r| r.action = BulkAction::Redrive), refused);
        assert_eq!(known(|r| r.reason = Some("lost".to_owned())), refused);
        assert_eq!(known(|r| r.rate_per_second = Some(1.0)), refused);
    }

    #[test]
    fn an_age_is_compared_as_it_was_given_and_not_when() {
        let older = |seconds: i128| {
            let request = StartBulk {
                key: Some(IdempotencyKey::parse("monday").expect("a key")),
                all: false,
                filter: FailureFilter {
                    older_than_seconds: Some(seconds),
                    ..FailureFilter::default()
                },
                ..discard_all()
            };
            check(request).expect("a request")
        };
        let mut known = older(60);
        known.filter.parked_before_ms = Some(1);
        let is_same = |known: &BulkRequest, seconds| same(known, 3, &older(seconds)).is_ok();
        assert!(is_same(&known, 60));
        assert!(!is_same(&known, 61));
        // A version before kept the time alone.
        known.asked = None;
        assert!(is_same(&known, 60) && is_same(&known, 61));
        known.reason = None;
        assert!(!is_same(&known, 60));
    }
}
