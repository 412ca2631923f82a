//! How an outside party fails, and how that reaches the saga.

use failure_queue::error_chain;
use pizza_domain::{Simulation, Step};
use pizza_workflows::names::workflow_type;
use pizza_workflows::steps::StepSpec;
use pizza_workflows::steps::spec::SimulatedFailure;
use temporalio_common::error::{ApplicationErrorCategory, ApplicationFailure};
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use pizza_store::StoreError;

/// What an outside party answers when it does not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum PartyError {
    /// It says no. Asking again is pointless.
    #[error("{message}")]
    Refused {
        /// A stable code for programs.
        code: &'static str,
        /// A sentence for people.
        message: &'static str,
    },
    /// It did not manage, and may if asked again.
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// A fault of an outside party or of the store.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The party said so.
    #[error("{message}")]
    Party {
        /// A stable code for programs.
        code: &'static str,
        /// A sentence for people.
        message: &'static str,
    },
    /// The store, or a party's books, did not answer.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<StoreError> for PartyError {
    fn from(error: StoreError) -> Self {
        match error {
            // It never will be an order's.
            StoreError::ForeignTask(_) => Self::Refused {
                code: "foreign-task",
                message: "the task names no order or no customer",
            },
            error => Self::Fault(error.into()),
        }
    }
}

impl PartyError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } | Self::Fault(Fault::Party { code, .. }) => code,
            Self::Fault(Fault::Store(_)) => "store-unavailable",
        }
    }
}

/// Turns a party's answer into the activity's.
pub(crate) trait Answer<T> {
    /// Fails the activity with the error's code as its type, the number of
    /// the attempt in its details, and the whole chain of causes in its text.
    /// A refusal is final, and business as usual, so it raises no alarm.
    fn answer(self, ctx: &ActivityContext) -> Result<T, ActivityError>;
}

impl<T, E: Into<PartyError>> Answer<T> for Result<T, E> {
    fn answer(self, ctx: &ActivityContext) -> Result<T, ActivityError> {
        self.map_err(|error| {
            let error = error.into();
            let refused = matches!(error, PartyError::Refused { .. });
            let expected = refused || matches!(error, PartyError::Fault(Fault::Party { .. }));
            let failure = ApplicationFailure::builder(error_chain(&error))
                .type_name(error.code().to_owned())
                .non_retryable(refused)
                .category(if expected {
                    ApplicationErrorCategory::Benign
                } else {
                    ApplicationErrorCategory::Unspecified
                })
                .details(ctx.info().attempt)
                .build();
            ActivityError::application(failure)
        })
    }
}

/// What the parties are to simulate in this run of a step. The simulated
/// error belongs to the order's own run: a step that was parked and is run
/// again from its failure queue has none, with the same input.
pub(crate) fn simulation_in(ctx: &ActivityContext, asked: Simulation) -> Simulation {
    if is_redriven(ctx) {
        Simulation {
            pace: asked.pace,
            ..Simulation::default()
        }
    } else {
        asked
    }
}

/// Whether the step was parked and is run again from its failure queue.
pub(crate) fn is_redriven(ctx: &ActivityContext) -> bool {
    ctx.info().workflow_type.as_deref() == Some(workflow_type::FAILED_TASK)
}

/// The business failure that a simulated order asks for on `step`, through
/// every attempt.
pub(crate) fn simulated_failure(simulation: Simulation, step: Step) -> Result<(), PartyError> {
    let spec = StepSpec::of(step);
    match &spec.simulated {
        Some(failure) if spec.fails_in(simulation) => {
            let SimulatedFailure { code, message, .. } = *failure;
            Err(if failure.is_refusal {
                PartyError::Refused { code, message }
            } else {
                Fault::Party { code, message }.into()
            })
        }
        _ => Ok(()),
    }
}
