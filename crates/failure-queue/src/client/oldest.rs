//! The oldest of many, where a list shows the latest first.

/// How far back the first step goes, in milliseconds, and how much farther
/// each next one.
const FIRST_STEP_MS: i64 = 1000;
const STRIDE: i64 = 8;

/// The smallest time for which there is something, given the latest one and a
/// way to ask for the latest before another. Goes back in growing steps, then
/// halves: it asks a few dozen times, however many there are.
///
/// The way to ask is no async closure: the future of one is `Send` for some
/// lifetimes alone, so nobody could spawn what awaits this.
pub(super) async fn oldest<E, F>(latest: i64, latest_before: impl Fn(i64) -> F) -> Result<i64, E>
where
    F: Future<Output = Result<Option<i64>, E>>,
{
    let mut candidate = latest;
    let mut step = FIRST_STEP_MS;
    // Nothing is older than the floor.
    let mut floor = loop {
        let before = candidate.saturating_sub(step);
        match latest_before(before).await? {
            Some(older) => candidate = older,
            None => break before,
        }
        step = step.saturating_mul(STRIDE);
    };
    while floor < candidate {
        let middle = candidate - (candidate - floor) / 2;
        match latest_before(middle).await? {
            Some(older) => candidate = older,
            None => floor = middle,
        }
    }
    Ok(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    proptest! {
        #[test]
        fn it_is_found_in_a_few_dozen_questions(
            mut times in prop::collection::vec(0..4_000_000_000_000_i64, 1..200),
        ) {
            times.sort_unstable();
            let asked = Cell::new(0);
            let found = futures::executor::block_on(oldest(times[times.len() - 1], |before| {
                asked.set(asked.get() + 1);
                let latest = times.iter().copied().rfind(|time| *time < before);
                std::future::ready(Ok::<_, ()>(latest))
            }));
            prop_assert_eq!(found, Ok(times[0]));
            prop_assert!(asked.get() < 64, "{} questions", asked.get());
        }
    }
}
