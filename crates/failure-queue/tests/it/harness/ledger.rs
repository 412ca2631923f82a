//! An outside party whose answers the test decides: it has each effect once
//! for each idempotency key, and counts.

#![allow(
    dead_code,
    reason = "the macros define what names an activity, and some are only known by their text"
)]

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use failure_queue::{StoredPayload, TaskChange};
use serde::{Deserialize, Serialize};
use temporalio_common_full::data_converters::RawValue;
use temporalio_common_full::error::ApplicationFailure;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::sync::watch;

/// What a step asks of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) key: String,
    pub(crate) amount: u32,
}

/// How the ledger meets a call.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    /// The effect happens, if it did not before.
    Succeed,
    /// A fault, of this type.
    Fault(&'static str),
    /// A refusal, of this type.
    Refuse(&'static str),
    /// No answer, and no effect.
    HangBefore,
    /// The effect, and no answer.
    HangAfter,
    /// The effect once the gate opens.
    WaitForGate,
}

#[derive(Default)]
struct Books {
    next: BTreeMap<String, VecDeque<Next>>,
    always: BTreeMap<String, Next>,
    calls: Vec<Payment>,
    effects: BTreeMap<String, Payment>,
    order_of_effects: Vec<String>,
    opaque: Vec<StoredPayload>,
    told: Vec<TaskChange>,
}

#[derive(Clone)]
pub(crate) struct Ledger {
    books: Arc<Mutex<Books>>,
    gate: watch::Sender<bool>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            books: Arc::default(),
            gate: watch::Sender::new(false),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// How the next calls with this key are met; those after them succeed.
    pub(crate) fn next(&self, key: &str, next: impl IntoIterator<Item = Next>) {
        let mut books = self.books();
        books.next.entry(key.to_owned()).or_default().extend(next);
    }

    /// How all calls with this key are met that nothing else is said about.
    pub(crate) fn always(&self, key: &str, always: Next) {
        self.books().always.insert(key.to_owned(), always);
    }

    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    pub(crate) fn calls(&self, key: &str) -> usize {
        let books = self.books();
        books.calls.iter().filter(|call| call.key == key).count()
    }

    /// The amounts of the calls with this key.
    pub(crate) fn amounts(&self, key: &str) -> Vec<u32> {
        let books = self.books();
        let calls = books.calls.iter().filter(|call| call.key == key);
        calls.map(|call| call.amount).collect()
    }

    /// The effect under this key.
    pub(crate) fn effect(&self, key: &str) -> Option<Payment> {
        self.books().effects.get(key).cloned()
    }

    /// How many effects there are.
    pub(crate) fn effects(&self) -> usize {
        self.books().effects.len()
    }

    /// The keys of the effects, in their order.
    pub(crate) fn order_of_effects(&self) -> Vec<String> {
        self.books().order_of_effects.clone()
    }

    /// The payloads that the activity for opaque ones was given.
    pub(crate) fn opaque(&self) -> Vec<StoredPayload> {
        self.books().opaque.clone()
    }

    /// What the recorder was told of a task.
    pub(crate) fn told(&self, task_id: &str) -> Vec<TaskChange> {
        let books = self.books();
        let of_task = books.told.iter().filter(|told| told.task_id == task_id);
        of_task.cloned().collect()
    }

    async fn pay(&self, payment: Payment, attempt: u32) -> Result<(), ActivityError> {
        let next = {
            let mut books = self.books();
            books.calls.push(payment.clone());
            let key = &payment.key;
            let planned = books.next.get_mut(key).and_then(VecDeque::pop_front);
            planned.or_else(|| books.always.get(key).cloned())
        };
        match next.unwrap_or(Next::Succeed) {
            Next::Succeed => {
                self.take(payment);
                Ok(())
            }
            Next::Fault(code) => Err(failure(code, attempt, false)),
            Next::Refuse(code) => Err(failure(code, attempt, true)),
            Next::HangBefore => pending().await,
            Next::HangAfter => {
                self.take(payment);
                pending().await
            }
            Next::WaitForGate => {
                let _ = self.gate.subscribe().wait_for(|open| *open).await;
                self.take(payment);
                Ok(())
            }
        }
    }

    fn take(&self, payment: Payment) {
        let mut books = self.books();
        let key = payment.key.clone();
        if books.effects.contains_key(&key) {
            return;
        }
        books.effects.insert(key.clone(), payment);
        books.order_of_effects.push(key);
    }
}

/// A failure with two causes, and the number of its attempt.
fn failure(code: &str, attempt: u32, refused: bool) -> ActivityError {
    let socket = std::io::Error::other("the socket is gone");
    let source = Fault {
        message: "the bank did not answer",
        source: Some(Box::new(Fault {
            message: "the line is down",
            source: Some(Box::new(socket)),
        })),
    };
    let failure = ApplicationFailure::builder(source)
        .type_name(code.to_owned())
        .non_retryable(refused)
        .details(attempt)
        .build();
    ActivityError::application(failure)
}

#[derive(Debug)]
struct Fault {
    message: &'static str,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The ledger as activities.
pub(crate) struct LedgerActivities(pub(crate) Ledger);

#[activities]
impl LedgerActivities {
    #[activity(name = "pay")]
    pub(crate) async fn pay(
        self: Arc<Self>,
        ctx: ActivityContext,
        payment: Payment,
    ) -> Result<(), ActivityError> {
        self.0.pay(payment, ctx.info().attempt).await
    }

    #[activity(name = "takeOpaque")]
    pub(crate) async fn take_opaque(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: RawValue,
    ) -> Result<(), ActivityError> {
        self.0.books().opaque.push(StoredPayload::from(&input));
        let planned = {
            let mut books = self.0.books();
            let next = books.next.get_mut("opaque");
            next.and_then(VecDeque::pop_front)
        };
        match planned {
            Some(Next::Fault(code)) => Err(failure(code, 1, false)),
            _ => Ok(()),
        }
    }

    #[activity(name = "tellLedger")]
    pub(crate) async fn tell(
        self: Arc<Self>,
        _ctx: ActivityContext,
        change: TaskChange,
    ) -> Result<(), ActivityError> {
        self.0.books().told.push(change);
        Ok(())
    }
}
