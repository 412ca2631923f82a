//! Places: how much of something may be held at once, by all clients together
//! and by each of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use pizza_contract::ErrorCode;
use pizza_store::meters;

use crate::client::Client;
use crate::problem::Problem;

/// How long a client is told to wait that has as much as it may.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

/// The places of one kind. All that one client has share a `T`.
#[derive(Debug)]
pub(crate) struct Places<T = ()> {
    all: usize,
    each: usize,
    taken: Mutex<Taken<T>>,
}

#[derive(Debug, Default)]
struct Taken<T> {
    all: usize,
    /// Of those who have none nothing is kept, so there are at most as many
    /// as there are places.
    by_client: HashMap<Client, Own<T>>,
}

/// What one client has.
#[derive(Debug, Default)]
struct Own<T> {
    places: usize,
    shared: Arc<T>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All are taken.
    ForAll,
    /// The client has as many as it may.
    ForClient,
}

impl<T: Default> Places<T> {
    /// So many in all, and so many for each client.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            taken: Mutex::default(),
        })
    }

    /// A place, if there is one. What is no client's, as the connection of a
    /// proxy is none's, is bounded by the places of all alone.
    pub(crate) fn take(self: &Arc<Self>, client: Option<&Client>) -> Result<Place<T>, Full> {
        let mut taken = self.taken();
        let own = client.and_then(|client| taken.by_client.get(client));
        if own.is_some_and(|own| own.places >= self.each) {
            return Err(Full::ForClient);
        }
        if taken.all >= self.all {
            return Err(Full::ForAll);
        }
        taken.all += 1;
        let shared = match client {
            None => Arc::default(),
            Some(client) => {
                let own = taken.by_client.entry(client.clone()).or_default();
                own.places += 1;
                Arc::clone(&own.shared)
            }
        };
        drop(taken);
        Ok(Place {
            places: Arc::clone(self),
            client: client.cloned(),
            shared,
        })
    }
}

impl<T> Places<T> {
    /// How many one client may have.
    pub(crate) const fn each(&self) -> usize {
        self.each
    }

    /// What is taken. A panic cannot leave it half changed.
    fn taken(&self) -> MutexGuard<'_, Taken<T>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place. It is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Place<T = ()> {
    places: Arc<Places<T>>,
    client: Option<Client>,
    shared: Arc<T>,
}

impl<T> Place<T> {
    /// What all places of its client share.
    pub(crate) fn shared(&self) -> &T {
        &self.shared
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(client) = self.client.take()
            && let Entry::Occupied(mut own) = taken.by_client.entry(client)
        {
            own.get_mut().places -= 1;
            if own.get().places == 0 {
                own.remove();
            }
        }
    }
}

/// Places of one kind for everybody, and others that customers cannot take.
#[derive(Debug)]
pub(crate) struct SharedPlaces {
    /// What they are places for, a label of [`meters::PLACES_REFUSED`].
    name: &'static str,
    everybody: Arc<Places>,
    staff: Arc<Places>,
}

impl SharedPlaces {
    pub(crate) const fn new(
        name: &'static str,
        everybody: Arc<Places>,
        staff: Arc<Places>,
    ) -> Self {
        Self {
            name,
            everybody,
            staff,
        }
    }

    /// A place for a client. Staff and probes take those that are kept for
    /// them first.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] when the client has as many as it may,
    /// [`ErrorCode::Overloaded`] when all are taken.
    pub(crate) fn take(&self, client: &Client, is_for_staff: bool) -> Result<Place, Problem> {
        if is_for_staff && let Ok(place) = self.staff.take(Some(client)) {
            return Ok(place);
        }
        let place = self.everybody.take(Some(client));
        place.map_err(|full| refusal(full, self.name, client))
    }
}

/// The answer to a request for which there is no place.
pub(crate) fn refusal(full: Full, name: &'static str, client: &Client) -> Problem {
    count_refusal(full, name);
    match full {
        Full::ForClient => Problem::rate_limited("requests under way", client.told(), MOMENT),
        Full::ForAll => {
            let detail = "too many requests are under way; try again in a moment";
            Problem::new(ErrorCode::Overloaded, detail)
        }
    }
}

/// Counts that there was no place.
pub(crate) fn count_refusal(full: Full, name: &'static str) {
    let bound = match full {
        Full::ForAll => "all",
        Full::ForClient => "client",
    };
    counter!(meters::PLACES_REFUSED.name, "place" => name, "bound" => bound).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> Client {
        Client::at([192, 0, 2, number].into())
    }

    #[test]
    fn one_client_has_its_own_share_and_all_have_the_whole() {
        let places = Places::<()>::new(3, 2);
        let (ann, ben, dan) = (client(1), client(2), client(3));
        let first = places.take(Some(&ann)).expect("a place");
        let second = places.take(Some(&ann)).expect("a place");
        assert_eq!(places.take(Some(&ann)).err(), Some(Full::ForClient));
        let third = places.take(Some(&ben)).expect("a place");
        assert_eq!(places.take(Some(&dan)).err(), Some(Full::ForAll));
        assert_eq!(places.take(None).err(), Some(Full::ForAll));
        drop(first);
        let fourth = places.take(Some(&ann)).expect("a place that was left");
        drop((second, third, fourth));
        assert!(places.taken().by_client.is_empty(), "nobody is kept");
        assert_eq!(places.taken().all, 0);
    }

    #[test]
    fn what_is_no_clients_is_bounded_with_all_alone() {
        let places = Places::<()>::new(3, 1);
        let held: Vec<_> = (0..3).map(|_| places.take(None)).collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(places.take(None).err(), Some(Full::ForAll));
    }

    #[test]
    fn customers_cannot_take_what_is_kept_for_staff() {
        let places = SharedPlaces::new("exchange", Places::new(1, 1), Places::new(1, 1));
        let code = |problem: Problem| problem.code;
        let _customers = places.take(&client(1), false).expect("a place");
        let again = places.take(&client(1), false).map_err(code);
        assert_eq!(again.err(), Some(ErrorCode::RateLimited));
        let staffs = places.take(&client(2), true).expect("a place of their own");
        let again = places.take(&client(2), true).map_err(code);
        assert_eq!(again.err(), Some(ErrorCode::Overloaded));
        drop(staffs);
        assert!(places.take(&client(2), true).is_ok());
    }
}
