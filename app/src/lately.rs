//! What was found lately, for those who ask again and again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer is given again. A health check comes every few seconds;
/// a thousand of them at once cost one look.
const KEPT: Duration = Duration::from_secs(1);

/// The answer of a look that costs something, for a while. Clones share it.
#[derive(Debug)]
pub struct Lately<T> {
    kept: Duration,
    last: Arc<Mutex<Option<(Instant, T)>>>,
}

impl<T> Clone for Lately<T> {
    fn clone(&self) -> Self {
        Self {
            kept: self.kept,
            last: Arc::clone(&self.last),
        }
    }
}

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self::kept_for(KEPT)
    }
}

impl<T> Lately<T> {
    /// Answers that are given again for so long.
    pub(crate) fn kept_for(kept: Duration) -> Self {
        Self {
            kept,
            last: Arc::default(),
        }
    }
}

impl<T: Clone> Lately<T> {
    /// The last answer, or that of a new look. One looks at a time; who waits
    /// for that one gets the same answer.
    pub async fn get(&self, look: impl Future<Output = T>) -> T {
        let look = async { Ok::<_, Infallible>(look.await) };
        let Ok(answer) = self.try_get(look).await;
        answer
    }

    /// The same for a look that may fail; a failure is not kept.
    pub(crate) async fn try_get<E>(
        &self,
        look: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < self.kept
        {
            return Ok(answer.clone());
        }
        let answer = look.await?;
        *last = Some((Instant::now(), answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_thousand_who_ask_at_once_cost_one_look_and_a_later_one_sees_anew() {
        let (lately, looks) = (Lately::default(), AtomicU32::new(0));
        let ask = || {
            lately.get(async {
                tokio::task::yield_now().await;
                looks.fetch_add(1, Ordering::Relaxed) + 1
            })
        };
        let answers = futures::future::join_all((0..1000).map(|_| ask())).await;
        // One for each second that it took, on a machine that is busy.
        assert!(answers[999] < 10, "{} looks", answers[999]);
        while ask().await == answers[999] {
            tokio::task::yield_now().await;
        }
    }
}
