//! What streams take up: their places, and their turns to read.
//!
//! A stream goes on for as long as its client likes, and reads the store and
//! Temporal again and again. So one client has a limited number of places, and
//! fewer turns to read than there are: some are always left for others, however
//! many streams it has. Staff has places and turns of its own, which no number
//! of customers can take.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use pizza_contract::ErrorCode;
use tokio::sync::{Semaphore, SemaphorePermit};

use pizza_app::WatchPlace;

use crate::Limits;
use crate::client::Client;
use crate::places::{self, Full, Places, count_refusal};
use crate::problem::Problem;

/// How many streams of changes read at once, for customers and for staff. Of
/// the store's eight connections, most are for requests.
const CHANGES: (usize, usize) = (4, 1);

/// How many pages are drawn anew at once, for customers and for staff. Each
/// takes some reads of the store and of Temporal.
const DRAWINGS: (usize, usize) = (3, 2);

/// Tells proxies of nginx's family to pass each event on as it comes.
pub(crate) const NO_BUFFERING: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    customers: Arc<Pool>,
    staff: Arc<Pool>,
}

/// What one kind of clients shares.
#[derive(Debug)]
struct Pool {
    /// All places of one client share its own turns.
    places: Arc<Places<Turns>>,
    turns: Turns,
}

/// One permit for each stream that may read at once.
#[derive(Debug)]
struct Turns {
    changes: Semaphore,
    drawings: Semaphore,
}

impl Turns {
    const fn new(changes: usize, drawings: usize) -> Self {
        Self {
            changes: Semaphore::const_new(changes),
            drawings: Semaphore::const_new(drawings),
        }
    }
}

/// Those of one client. An address may be a whole office, or a proxy that is
/// not named: thousands of its streams have to be told in time.
impl Default for Turns {
    fn default() -> Self {
        Self::new(CHANGES.0 - 1, 1)
    }
}

impl Streams {
    pub(crate) fn new(limits: &Limits) -> Self {
        let pool = |places, changes, drawings| {
            Arc::new(Pool {
                places: Places::new(places, limits.watchers_per_client),
                turns: Turns::new(changes, drawings),
            })
        };
        Self {
            customers: pool(limits.watchers, CHANGES.0, DRAWINGS.0),
            staff: pool(limits.staff_watchers, CHANGES.1, DRAWINGS.1),
        }
    }

    /// A place for this client to watch an order or a board, or to hold a
    /// stream of another kind.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] when the client has as many as one may have,
    /// [`ErrorCode::Overloaded`] when there is none for anybody.
    pub(crate) fn place(&self, client: &Client) -> Result<Place, Problem> {
        let pool = match client.is_staff() {
            true => &self.staff,
            false => &self.customers,
        };
        let place = pool.places.take(Some(client)).map_err(|full| {
            count_refusal(full, "stream");
            match full {
                Full::ForClient => Problem::too_many_streams(pool.places.each(), client.told()),
                Full::ForAll => {
                    let detail = "too many orders are being watched; try again in a moment";
                    Problem::new(ErrorCode::Overloaded, detail)
                }
            }
        })?;
        Ok(Place {
            pool: Arc::clone(pool),
            place,
        })
    }
}

/// A client's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    place: places::Place<Turns>,
}

/// Whose turn it is to read, until it is dropped.
pub(crate) struct Turn<'a> {
    _own: Result<SemaphorePermit<'a>, tokio::sync::AcquireError>,
    _shared: Result<SemaphorePermit<'a>, tokio::sync::AcquireError>,
}

impl WatchPlace for Place {
    type Turn<'a> = Turn<'a>;

    async fn turn_to_read(&self) -> Turn<'_> {
        turn(&self.place.shared().changes, &self.pool.turns.changes).await
    }
}

impl Place {
    /// Waits for the turn to draw a page anew.
    pub(crate) async fn turn_to_draw(&self) -> Turn<'_> {
        turn(&self.place.shared().drawings, &self.pool.turns.drawings).await
    }
}

/// The client's own turn first: only so many of its streams wait among others'.
/// The semaphores are never closed.
async fn turn<'a>(own: &'a Semaphore, shared: &'a Semaphore) -> Turn<'a> {
    Turn {
        _own: own.acquire().await,
        _shared: shared.acquire().await,
    }
}

/// Lets an answer hold its client's place for as long as it goes on.
pub(crate) fn holding(mut answer: Response, place: Place) -> Response {
    answer.extensions_mut().insert(Arc::new(place));
    answer
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use pizza_app::keys::{Principal, Role};

    fn streams() -> Streams {
        Streams::new(&Limits {
            watchers: 5,
            staff_watchers: 2,
            watchers_per_client: 3,
            ..Limits::default()
        })
    }

    fn at(number: u8) -> Client {
        Client::at([192, 0, 2, number].into())
    }

    fn kitchen() -> Client {
        let (name, role) = ("oven".to_owned(), Role::Kitchen);
        Client::Holder(Principal { name, role })
    }

    fn code(place: Result<Place, Problem>) -> Option<ErrorCode> {
        place.err().map(|problem| problem.code)
    }

    #[test]
    fn one_client_has_its_number_of_places_and_staff_its_own() {
        let streams = streams();
        let place = |client: &Client| streams.place(client);
        let first: Vec<_> = (0..3).map(|_| place(&at(1)).expect("a place")).collect();
        assert_eq!(code(place(&at(1))), Some(ErrorCode::RateLimited));
        let second: Vec<_> = (0..2).map(|_| place(&at(2)).expect("a place")).collect();
        assert_eq!(code(place(&at(2))), Some(ErrorCode::Overloaded));
        let staff: Vec<_> = (0..2).map(|_| place(&kitchen()).expect("one")).collect();
        assert_eq!(code(place(&kitchen())), Some(ErrorCode::Overloaded));
        drop((first, second, staff));
        assert_eq!(code(place(&at(1))), None);
    }

    #[test]
    fn a_client_with_many_streams_leaves_turns_for_others() {
        let streams = streams();
        let place = |client: &Client| streams.place(client).expect("a place");
        let greedy = [place(&at(1)), place(&at(1)), place(&at(1))];
        let (other, board) = (place(&at(2)), place(&kitchen()));
        let turn = greedy[0].turn_to_draw().now_or_never().expect("a turn");
        assert!(greedy[1].turn_to_draw().now_or_never().is_none());
        assert!(greedy[1].turn_to_read().now_or_never().is_some());
        assert!(other.turn_to_draw().now_or_never().is_some());
        drop(turn);
        assert!(greedy[1].turn_to_draw().now_or_never().is_some());
        fn read(place: &Place) -> Option<Turn<'_>> {
            place.turn_to_read().now_or_never()
        }
        let own: Vec<_> = greedy.iter().map(read).collect();
        assert!(own.iter().all(Option::is_some));
        assert!(read(&greedy[0]).is_none());
        let last = read(&other);
        assert!(last.is_some());
        // However many customers read, a board need not wait for them.
        assert!(board.turn_to_read().now_or_never().is_some());
        assert!(board.turn_to_draw().now_or_never().is_some());
    }
}
