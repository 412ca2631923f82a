//! Whether the workers of this process get at their task queues, by what the
//! SDK counts.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The polls of this process.
pub(super) static POLLING: LazyLock<Polling> = LazyLock::new(Polling::default);

#[derive(Default)]
pub(super) struct Polling(Mutex<Polls>);

#[derive(Default)]
struct Polls {
    /// The pollers of each queue and kind.
    pollers: HashMap<String, u64>,
    answered: Option<Instant>,
    failed: Option<Instant>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PollingNow {
    /// How many polls wait for a task.
    pub(super) pollers: u64,
    /// Seconds since the last poll that was answered, be it with no task;
    /// none before the first.
    pub(super) last_answer_seconds: Option<u64>,
    /// Whether the last poll that ended failed.
    pub(super) is_failing: bool,
}

impl PollingNow {
    /// Whether tasks reach this process. One that was just started has no
    /// answer yet, as long as there is nothing to do.
    pub(super) const fn is_well(self) -> bool {
        self.pollers > 0 && !self.is_failing
    }
}

impl Polling {
    /// This many pollers wait at a queue from now on.
    pub(super) fn pollers(&self, queue: &str, count: u64) {
        let mut polls = self.polls();
        match polls.pollers.get_mut(queue) {
            Some(known) => *known = count,
            None => drop(polls.pollers.insert(queue.to_owned(), count)),
        }
    }

    /// A poll was answered.
    pub(super) fn answered(&self) {
        self.polls().answered = Some(Instant::now());
    }

    /// A poll failed.
    pub(super) fn failed(&self) {
        self.polls().failed = Some(Instant::now());
    }

    /// How it stands.
    pub(super) fn now(&self) -> PollingNow {
        let polls = self.polls();
        PollingNow {
            pollers: polls.pollers.values().sum(),
            last_answer_seconds: polls.answered.map(|at| at.elapsed().as_secs()),
            is_failing: polls.failed > polls.answered,
        }
    }

    /// A panic cannot leave them half changed.
    fn polls(&self) -> MutexGuard<'_, Polls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_well_while_it_polls_and_is_answered() {
        let polling = Polling::default();
        assert!(!polling.now().is_well(), "nobody polls yet");
        polling.pollers("orders workflow_task", 2);
        polling.pollers("orders activity_task", 1);
        assert_eq!(polling.now().pollers, 3);
        assert!(polling.now().is_well(), "there may be nothing to do yet");
        polling.failed();
        assert!(!polling.now().is_well());
        polling.answered();
        assert!(polling.now().is_well());
        polling.pollers("orders workflow_task", 0);
        polling.pollers("orders activity_task", 0);
        assert!(!polling.now().is_well(), "its workers have stopped");
    }
}
