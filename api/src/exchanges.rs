//! Exchanges: each from the end of a request's header to the last byte of its
//! answer.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use pizza_contract::ErrorCode;
use tokio::time::timeout;

use crate::Limits;
use crate::arrival::arrived;
use crate::client::Client;
use crate::connection::ExchangePlace;
use crate::places::{Places, SharedPlaces};
use crate::problem::Problem;

/// What exchanges take up: a place each, and another while its request is
/// under way. Kitchens and operators have some that nobody else can take.
#[derive(Debug)]
pub struct Exchanges {
    exchanges: SharedPlaces,
    /// For requests whose body has come.
    requests: SharedPlaces,
    /// From the header to the answer.
    deadline: Duration,
}

impl Exchanges {
    /// As many as the limits say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let each = limits.exchanges_per_client;
        Self {
            exchanges: SharedPlaces::new(
                "exchange",
                Places::new(limits.exchanges, each),
                Places::new(limits.staff_exchanges, each),
            ),
            // A client has no more of them than it has exchanges.
            requests: SharedPlaces::new(
                "request",
                Places::new(limits.requests, usize::MAX),
                Places::new(limits.staff_requests, usize::MAX),
            ),
            deadline: limits.request,
        }
    }

    /// Begins an exchange. Put on its answer, the place is kept until that was
    /// taken.
    ///
    /// # Errors
    /// [`ErrorCode::RateLimited`] when the client has as many as it may,
    /// [`ErrorCode::Overloaded`] when all are taken.
    pub fn begin(&self, client: &Client, is_for_staff: bool) -> Result<ExchangePlace, Problem> {
        let place = self.exchanges.take(client, is_for_staff)?;
        Ok(ExchangePlace::from(place))
    }

    /// The answer to a request once its body, of at most `body_bytes`, is
    /// there, if there is room for it. Without a number the body is not waited
    /// for, and without a client no room is needed.
    ///
    /// # Errors
    /// [`ErrorCode::RequestTimeout`] when the answer is not there in time, the
    /// body's arrival included; [`ErrorCode::BodyTooLarge`] and
    /// [`ErrorCode::InvalidRequest`] when the body is not one;
    /// [`ErrorCode::Overloaded`] when there is no room.
    pub async fn answer(
        &self,
        request: Request,
        client: Option<&Client>,
        body_bytes: Option<usize>,
        next: Next,
    ) -> Result<Response, Problem> {
        let answer = async {
            let request = match body_bytes {
                Some(limit) => arrived(request, limit).await?,
                None => request,
            };
            let _place = client
                .map(|client| self.requests.take(client, client.is_staff()))
                .transpose()?;
            Ok(next.run(request).await)
        };
        timeout(self.deadline, answer).await.unwrap_or_else(|_| {
            let seconds = self.deadline.as_secs_f64();
            let detail = format!("the request was not complete within {seconds} s");
            Err(Problem::new(ErrorCode::RequestTimeout, detail))
        })
    }
}
