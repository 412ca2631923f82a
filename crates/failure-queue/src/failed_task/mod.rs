//! A step that failed for good, waiting in its failure queue.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

mod state;

use std::time::Duration;

use temporalio_common::UntypedActivity;
use temporalio_common::data_converters::{MultiArgs2, RawValue};
use temporalio_macros::workflow_methods;
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::carried::Carried;
use crate::failure::{StepFailure, is_lost};
use crate::message::Message;
use crate::names::{message, search_attribute, workflow_type};
use crate::parkable_step::Recorder;
use crate::policy::StepPolicy;
use crate::queue::QueueActivities;
use crate::queue_policy::PolicyChange;
use crate::refusal::Refused;
use crate::request::{DiscardRequest, RedriveAnswer, RedriveRequest};
use crate::steps::{Named, Steps, options};
use crate::task::{ParkedTask, TaskChange, TaskView};
use crate::task_state::TaskState;
use crate::workflow_time::{now_ms, to_ms};

pub use state::FailedTaskWorkflow;

/// How often a redrive is run again by itself when its worker was lost.
const TRIES_AFTER_TIMEOUT: u32 = 3;

/// How long a redrive waits for a worker of the step's task queue.
const LONGEST_WAIT_FOR_WORKER: Duration = Duration::from_secs(300);

type Context = WorkflowContext<FailedTaskWorkflow>;

#[workflow_methods]
impl FailedTaskWorkflow {
    #[init]
    fn new(ctx: &WorkflowContextView, input: MultiArgs2<ParkedTask, RawValue>) -> Self {
        let MultiArgs2(mut task, input) = input;
        let carried = task.carried.take();
        let known = carried.map_or_else(|| Carried::parked_at(task.parked_at_ms), |it| *it);
        Self {
            id: ctx.workflow_id().to_owned(),
            task,
            input,
            state: TaskState::Waiting,
            known,
            redrive: None,
            redrives_ended: 0,
            settled: false,
        }
    }

    /// Waits until the step was redriven with success, or discarded.
    #[run(name = workflow_type::FAILED_TASK)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<TaskState> {
        ask_for_policy(ctx).await;
        while !ctx.state(|task| task.state.is_closed()) {
            if Steps::new(ctx).is_long() {
                Steps::new(ctx).handlers_finished().await;
                // A request may have come while the last answers were given.
                if ctx.state(|task| task.redrive.is_none() && !task.state.is_closed()) {
                    continue_as_new(ctx)?;
                }
            }
            wait_for_work(ctx).await;
            if ctx.state(|task| task.redrive.is_some()) {
                redrive(ctx).await;
            }
        }
        settle(ctx).await;
        Steps::new(ctx).handlers_finished().await;
        Ok(ctx.state(|task| task.state))
    }

    /// Runs the step again, and answers how that ended and what followed.
    ///
    /// # Errors
    /// When the task is closed, another redrive is under way, or a field of
    /// the request is beyond its limit.
    #[update(name = message::REDRIVE)]
    pub async fn redrive(
        ctx: &mut WorkflowContext<Self>,
        request: RedriveRequest,
    ) -> Result<RedriveAnswer, Refused> {
        let at_ms = now_ms(ctx);
        let request_id = request.request_id.clone();
        let asked_for = ctx.state_mut(|task| task.ask_for_redrive(request, at_ms))?;
        Steps::new(ctx)
            .until(|task| {
                task.redrives_ended >= asked_for && (task.settled || !task.state.is_closed())
            })
            .await;
        Ok(ctx.state(|task| task.answer(request_id.as_deref())))
    }

    #[update_validator(redrive)]
    fn validate_redrive(
        &self,
        _ctx: &WorkflowContextView,
        request: &RedriveRequest,
    ) -> Result<(), Refused> {
        self.is_own_redrive(request)?;
        Ok(self.may_redrive(request)?)
    }

    /// Closes the task for good. What it owes stays owed.
    ///
    /// # Errors
    /// When the task is closed, a redrive is under way, or a field of the
    /// request is beyond its limit.
    #[update(name = message::DISCARD)]
    pub async fn discard(
        ctx: &mut WorkflowContext<Self>,
        request: DiscardRequest,
    ) -> Result<(), Refused> {
        let at_ms = now_ms(ctx);
        ctx.state_mut(|task| task.let_go(request, at_ms))?;
        Steps::new(ctx).until(|task| task.settled).await;
        Ok(())
    }

    #[update_validator(discard)]
    fn validate_discard(
        &self,
        _ctx: &WorkflowContextView,
        request: &DiscardRequest,
    ) -> Result<(), Refused> {
        self.is_own_discard(request)?;
        Ok(self.may_discard(request)?)
    }

    /// The queue's policy changed.
    #[signal(name = message::QUEUE_POLICY)]
    pub fn queue_policy(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        change: Message<PolicyChange>,
    ) {
        let Some(change) = change.read(ctx, message::QUEUE_POLICY) else {
            return;
        };
        let at_ms = to_ms(ctx.workflow_time());
        self.hear_of_policy(change, at_ms);
    }

    /// How the task stands.
    #[query(name = message::TASK)]
    pub fn task(&self, _ctx: &WorkflowContextView) -> TaskView {
        self.view()
    }
}

/// Asks for the policy of the queue, once, as the task is parked. Later
/// changes are told by signal; without an answer the next one is waited for.
async fn ask_for_policy(ctx: &Context) {
    let queue = ctx.state(|task| task.task.asks_for_policy.then(|| task.task.queue.clone()));
    let Some(queue) = queue else {
        return;
    };
    let policy = StepPolicy {
        attempts: Some(3),
        ..StepPolicy::bookkeeping()
    };
    let read = Steps::new(ctx)
        .local_first(QueueActivities::read_policy, queue, &policy, "read policy")
        .await;
    if let Ok(Some(change)) = read {
        let at_ms = now_ms(ctx);
        ctx.state_mut(|task| task.learn_policy(change, at_ms));
    }
}

/// Waits until there is a redrive to make, the task is closed, or its history
/// has grown long. An automatic redrive that is due is made the one to make.
async fn wait_for_work(ctx: &Context) {
    let due_at_ms = ctx.state(FailedTaskWorkflow::next_redrive_at_ms);
    let has_work = |task: &FailedTaskWorkflow| {
        task.redrive.is_some()
            || task.state.is_closed()
            || task.next_redrive_at_ms() != due_at_ms
            || Steps::new(ctx).is_long()
    };
    let Some(due_at_ms) = due_at_ms else {
        return Steps::new(ctx).until(has_work).await;
    };
    let now = now_ms(ctx);
    if due_at_ms <= now {
        return ctx.state_mut(FailedTaskWorkflow::redrive_by_policy);
    }
    let left = Duration::from_millis(u64::try_from(due_at_ms - now).unwrap_or_default());
    Steps::new(ctx)
        .until_or(has_work, left, "automatic redrive")
        .await;
}

/// Makes the redrive that is asked for.
async fn redrive(ctx: &Context) {
    let started_at_ms = now_ms(ctx);
    ctx.state_mut(|task| task.state = TaskState::Redriving);
    let (tries, result) = run_again(ctx).await;
    let failed_with = result.as_ref().err().map(|failure| failure.code.clone());
    let ended_at_ms = now_ms(ctx);
    let code_before = ctx.state(|task| task.failure().code.clone());
    ctx.state_mut(|task| task.redriven(tries, result, started_at_ms, ended_at_ms));
    if let Some(code) = failed_with.filter(|code| *code != code_before) {
        ctx.upsert_search_attributes([search_attribute::ERROR_CODE.value_set(code)]);
    }
}

/// Runs the step once more, on its own task queue and with its own key. Once
/// is once: only when the worker that had it did not answer is it run again,
/// since nobody knows then what it did. Returns the number of tries, too.
async fn run_again(ctx: &Context) -> (u32, Result<(), StepFailure>) {
    let (task, input) = ctx.state(|task| (task.task.clone(), task.current_input()));
    let mut tries = 1;
    loop {
        let mut options = options(&StepPolicy::once(), "redrive");
        options.task_queue = Some(task.task_queue.clone());
        options.schedule_to_start_timeout = Some(LONGEST_WAIT_FOR_WORKER);
        let activity = UntypedActivity::new(task.activity_type.clone());
        let result = ctx.execute_activity(activity, input.clone(), options).await;
        match result {
            Err(error) if is_lost(&error) && tries < TRIES_AFTER_TIMEOUT => tries += 1,
            Err(error) => return (tries, Err(StepFailure::from_error(&error))),
            Ok(_) => return (tries, Ok(())),
        }
    }
}

/// Does all that follows a task's end: tells the application, then runs what
/// was to follow the step.
async fn settle(ctx: &Context) {
    let (task, state) = ctx.state(|task| (task.task.clone(), task.state));
    let attribute = search_attribute::STATE.value_set(state.as_str().to_owned());
    ctx.upsert_search_attributes([attribute]);
    if let Some(Recorder(name)) = &task.recorder {
        let change = ctx.state(FailedTaskWorkflow::change);
        let record = Named::<TaskChange, ()>::new(name.clone());
        // Regular: a local activity could tell of a discard that a lost
        // workflow task then takes back.
        let _ = Steps::new(ctx)
            .regular(record, change, &StepPolicy::bookkeeping(), "record end")
            .await;
    }
    if state == TaskState::Done {
        for follow_up in task.follow_ups {
            Steps::new(ctx).follow_up(follow_up).await;
        }
    }
    ctx.state_mut(|task| task.settled = true);
}

fn continue_as_new(ctx: &Context) -> WorkflowResult<()> {
    let input = ctx.state(|task| MultiArgs2(task.for_next_run(), task.input.clone()));
    ctx.continue_as_new(input, ContinueAsNewOptions::default())?;
    Ok(())
}
