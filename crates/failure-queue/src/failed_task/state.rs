//! What a parked task knows, and what may be done to it. No commands here.

use temporalio_common::data_converters::RawValue;
use temporalio_macros::workflow;

use crate::attempt::{Attempt, AttemptOutcome};
use crate::audit_trail::{AuditAction, AuditEntry, AuditOutcome};
use crate::carried::Carried;
use crate::failure::StepFailure;
use crate::payload::StoredPayload;
use crate::queue_policy::PolicyChange;
use crate::refusal::Refusal;
use crate::request::{DiscardRequest, MOST_REDRIVES, RedriveAnswer, RedriveRequest};
use crate::task::{ParkedTask, TaskChange, TaskView};
use crate::task_state::TaskState;

/// How many redrives a task remembers one by one.
const REMEMBERED_REDRIVES: usize = 20;

/// How many lines of its audit trail a task carries along.
const REMEMBERED_AUDIT: usize = 200;

/// The step that was parked. It waits to be redriven or discarded.
///
/// A cancellation is not heeded: it would take what the task owes away without
/// a word on who did it and why. Discarding asks for both.
#[workflow]
pub struct FailedTaskWorkflow {
    pub(super) id: String,
    pub(super) task: ParkedTask,
    pub(super) input: RawValue,
    pub(super) state: TaskState,
    pub(super) known: Carried,
    /// The redrive that is asked for or under way.
    pub(super) redrive: Option<Redrive>,
    /// How many redrives have ended in this run; callers wait for it to grow.
    pub(super) redrives_ended: u32,
    /// Whether all that follows a task's end is done.
    pub(super) settled: bool,
}

/// A redrive that is asked for or under way.
#[derive(Clone, Debug)]
pub(super) struct Redrive {
    principal: String,
    automatic: bool,
    request_id: Option<String>,
}

impl FailedTaskWorkflow {
    /// Whether a redrive may be asked for now.
    pub(super) fn may_redrive(&self, request: &RedriveRequest) -> Result<(), Refusal> {
        request.check()?;
        let id = request.request_id.as_deref();
        self.may_act(AuditAction::Redrive, id)?;
        if self.known.asked_redrives >= MOST_REDRIVES && !self.was_asked(AuditAction::Redrive, id) {
            return Err(Refusal::TooManyRedrives);
        }
        Ok(())
    }

    /// Whether no other redrive was asked for under the id of this one. Only
    /// what is new is asked: histories hold what was answered before there was
    /// this rule.
    pub(super) fn is_own_redrive(&self, request: &RedriveRequest) -> Result<(), Refusal> {
        let view = self.view();
        let taken = view.audited(AuditAction::Redrive, request.request_id.as_deref());
        match taken.is_none_or(|entry| view.is_redrive(entry, request)) {
            true => Ok(()),
            false => Err(Refusal::Reused),
        }
    }

    /// The same of a discard.
    pub(super) fn is_own_discard(&self, request: &DiscardRequest) -> Result<(), Refusal> {
        let view = self.view();
        let taken = view.audited(AuditAction::Discard, request.request_id.as_deref());
        match taken.is_none_or(|entry| view.is_discard(entry, request)) {
            true => Ok(()),
            false => Err(Refusal::Reused),
        }
    }

    /// Asks for a redrive. Returns how many redrives of this run will have
    /// ended when it has.
    pub(super) fn ask_for_redrive(
        &mut self,
        request: RedriveRequest,
        at_ms: i64,
    ) -> Result<u32, Refusal> {
        self.may_redrive(&request)?;
        let id = request.request_id.as_deref();
        if self.was_asked(AuditAction::Redrive, id) {
            let is_under_way = self
                .redrive
                .as_ref()
                .is_some_and(|redrive| redrive.request_id.as_deref() == id);
            return Ok(self.redrives_ended + u32::from(is_under_way));
        }
        self.known.asked_redrives += 1;
        let corrected_input = request.input.is_some();
        if request.original_input {
            self.known.corrected_input = None;
        } else if let Some(input) = request.input {
            self.known.corrected_input = Some(input);
        }
        self.audit(AuditEntry {
            at_ms,
            principal: request.principal.clone(),
            action: AuditAction::Redrive,
            reason: request.reason,
            request_id: request.request_id.clone().unwrap_or_default(),
            corrected_input,
            outcome: AuditOutcome::Pending,
        });
        self.redrive = Some(Redrive {
            principal: request.principal,
            automatic: false,
            request_id: request.request_id,
        });
        Ok(self.redrives_ended + 1)
    }

    /// Makes the redrive that is due by the queue's policy the one to make.
    pub(super) fn redrive_by_policy(&mut self) {
        let Some(policy) = &self.known.policy else {
            return;
        };
        self.redrive = Some(Redrive {
            principal: policy.principal.clone(),
            automatic: true,
            request_id: None,
        });
        self.known.automatic += 1;
    }

    /// Takes note of how a redrive ended after `tries`.
    pub(super) fn redriven(
        &mut self,
        tries: u32,
        result: Result<(), StepFailure>,
        started_at_ms: i64,
        ended_at_ms: i64,
    ) {
        let Some(redrive) = self.redrive.take() else {
            return;
        };
        self.redrives_ended += 1;
        self.known.attempts += tries;
        let attempts = self.attempts();
        self.state = TaskState::Waiting;
        let (outcome, audited) = match result {
            Ok(()) => {
                self.state = TaskState::Done;
                (AttemptOutcome::Done, AuditOutcome::Done)
            }
            Err(failure) => {
                self.known.failure = Some(failure.clone());
                self.known.last_failure_at_ms = ended_at_ms;
                (
                    AttemptOutcome::FailedAgain(failure),
                    AuditOutcome::FailedAgain,
                )
            }
        };
        let pending = self
            .known
            .audit
            .iter_mut()
            .rfind(|entry| entry.outcome == AuditOutcome::Pending);
        if let Some(entry) = pending.filter(|_| !redrive.automatic) {
            entry.outcome = audited;
        }
        let attempt = Attempt {
            started_at_ms,
            ended_at_ms,
            principal: redrive.principal,
            automatic: redrive.automatic,
            request_id: redrive.request_id,
            attempts,
            outcome,
        };
        let dropped = remember(&mut self.known.redrives, attempt, REMEMBERED_REDRIVES);
        self.known.earlier_redrives += dropped;
    }

    /// Whether the task may be discarded now.
    pub(super) fn may_discard(&self, request: &DiscardRequest) -> Result<(), Refusal> {
        request.check()?;
        self.may_act(AuditAction::Discard, request.request_id.as_deref())
    }

    /// Discards the task.
    pub(super) fn let_go(&mut self, request: DiscardRequest, at_ms: i64) -> Result<(), Refusal> {
        self.may_discard(&request)?;
        if self.state.is_closed() {
            return Ok(());
        }
        self.state = TaskState::Discarded;
        self.audit(AuditEntry {
            at_ms,
            principal: request.principal,
            action: AuditAction::Discard,
            reason: Some(request.reason),
            request_id: request.request_id.unwrap_or_default(),
            corrected_input: false,
            outcome: AuditOutcome::Done,
        });
        Ok(())
    }

    /// Takes a change of the queue's policy, unless a later one is known.
    pub(super) fn hear_of_policy(&mut self, change: PolicyChange, at_ms: i64) {
        let id = format!("policy-{}", change.version);
        let entry = AuditEntry {
            at_ms,
            principal: change.principal.clone(),
            action: AuditAction::SetPolicy,
            reason: change.reason.clone(),
            request_id: id,
            corrected_input: false,
            outcome: AuditOutcome::Done,
        };
        if self.learn_policy(change, at_ms) {
            self.audit(entry);
        }
    }

    /// Takes the queue's policy as it is. Whether it was news.
    pub(super) fn learn_policy(&mut self, change: PolicyChange, at_ms: i64) -> bool {
        let known = self.known.policy.as_ref().map_or(0, |known| known.version);
        if change.version <= known || self.state.is_closed() {
            return false;
        }
        self.known.policy = Some(change);
        self.known.policy_since_ms = at_ms;
        self.known.automatic = 0;
        true
    }

    /// When the task is next run again by itself, in milliseconds since the
    /// Unix epoch.
    pub(super) fn next_redrive_at_ms(&self) -> Option<i64> {
        if self.state.is_closed() || self.redrive.is_some() {
            return None;
        }
        let policy = self.known.policy.as_ref()?.auto_redrive.as_ref()?;
        let wait = policy.wait_after(self.known.automatic)?;
        let since = self
            .known
            .last_failure_at_ms
            .max(self.known.policy_since_ms);
        let due = since.checked_add(i64::try_from(wait.as_millis()).ok()?)?;
        let age = u64::try_from(due - self.task.parked_at_ms).unwrap_or_default();
        (age < policy.max_age_ms).then_some(due)
    }

    /// How it failed last.
    pub(super) fn failure(&self) -> &StepFailure {
        self.known.failure.as_ref().unwrap_or(&self.task.failure)
    }

    /// What the next redrive is given.
    pub(super) fn current_input(&self) -> RawValue {
        let corrected = self.known.corrected_input.clone();
        corrected.map_or_else(|| self.input.clone(), RawValue::from)
    }

    /// The answer to whoever asked for a redrive that has ended: the same one
    /// each time that the same request is sent again.
    pub(super) fn answer(&self, request_id: Option<&str>) -> RedriveAnswer {
        self.view().answer_to(request_id)
    }

    /// What the application is told of the task's end.
    pub(super) fn change(&self) -> TaskChange {
        let (action, ended) = match self.state {
            TaskState::Discarded => (AuditAction::Discard, None),
            _ => (AuditAction::Redrive, self.known.redrives.last()),
        };
        let automatic = ended.filter(|attempt| attempt.automatic);
        let mut audit = self.known.audit.iter();
        let asked = match automatic {
            Some(_) => None,
            None => audit.rfind(|entry| entry.action == action),
        };
        let at_ms = ended
            .map(|attempt| attempt.ended_at_ms)
            .or_else(|| asked.map(|entry| entry.at_ms));
        TaskChange {
            task_id: self.id.clone(),
            queue: self.task.queue.clone(),
            message_type: self.task.message_type.clone(),
            subject: self.task.subject.clone(),
            state: self.state,
            at_ms: at_ms.unwrap_or(self.task.parked_at_ms),
            principal: automatic
                .map(|attempt| attempt.principal.clone())
                .or_else(|| asked.map(|entry| entry.principal.clone())),
            reason: asked.and_then(|entry| entry.reason.clone()),
        }
    }

    /// What the next run of this task is started with.
    pub(super) fn for_next_run(&self) -> ParkedTask {
        ParkedTask {
            carried: Some(Box::new(self.known.clone())),
            asks_for_policy: false,
            ..self.task.clone()
        }
    }

    /// The task as it stands.
    pub(super) fn view(&self) -> TaskView {
        TaskView {
            id: self.id.clone(),
            task: self.task.clone(),
            state: self.state,
            failure: self.failure().clone(),
            attempts: self.attempts(),
            last_failure_at_ms: self.known.last_failure_at_ms,
            redrives: self.known.redrives.clone(),
            earlier_redrives: self.known.earlier_redrives,
            audit: self.known.audit.clone(),
            earlier_audit: self.known.earlier_audit,
            input: StoredPayload::from(&self.input),
            corrected_input: self.known.corrected_input.clone(),
            auto_redrive: self
                .known
                .policy
                .as_ref()
                .and_then(|policy| policy.auto_redrive.clone()),
            next_redrive_at_ms: self.next_redrive_at_ms(),
        }
    }

    fn attempts(&self) -> u32 {
        self.task.failure.attempts + self.known.attempts
    }

    /// Whether a request may be taken: also one that was taken before, which
    /// is answered and not repeated.
    fn may_act(&self, action: AuditAction, request_id: Option<&str>) -> Result<(), Refusal> {
        if self.was_asked(action, request_id) {
            return Ok(());
        }
        if self.state.is_closed() {
            return Err(Refusal::Resolved);
        }
        if self.redrive.is_some() {
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// Whether this very request was taken before.
    fn was_asked(&self, action: AuditAction, request_id: Option<&str>) -> bool {
        let Some(id) = request_id else {
            return false;
        };
        let mut taken = self.known.audit.iter();
        taken.any(|entry| entry.action == action && entry.request_id == id)
    }

    fn audit(&mut self, entry: AuditEntry) {
        let dropped = remember(&mut self.known.audit, entry, REMEMBERED_AUDIT);
        self.known.earlier_audit += dropped;
    }
}

/// Adds to a list that keeps the latest `most`. Returns how many went.
fn remember<T>(list: &mut Vec<T>, item: T, most: usize) -> u32 {
    list.push(item);
    let dropped = list.len().saturating_sub(most);
    list.drain(..dropped);
    u32::try_from(dropped).unwrap_or(u32::MAX)
}
