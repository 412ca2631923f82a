//! `FailureQueueService/ListFailures`.

use failure_queue::client::StateFilter;
use pizza_domain::InvalidField;

use super::failures::filter;
use super::proto::{FailureState, ListFailuresRequest, ListFailuresResponse};
use crate::gateway::App;
use pizza_app::{ListFailures, UseCaseError, Violation};

pub(super) async fn serve(
    app: &App,
    request: ListFailuresRequest,
) -> Result<ListFailuresResponse, UseCaseError> {
    let request = ListFailures {
        state: state(request.state)?,
        filter: filter(request.filter),
        limit: request.limit,
        cursor: request.cursor,
    };
    let page = app.use_cases().list_failures(request).await?;
    Ok(ListFailuresResponse {
        failures: page.failures.into_iter().map(Into::into).collect(),
        next_cursor: page.next_cursor,
    })
}

fn state(number: i32) -> Result<StateFilter, UseCaseError> {
    match FailureState::try_from(number) {
        Ok(FailureState::Unspecified) => Ok(StateFilter::Open),
        Ok(FailureState::Done) => Ok(StateFilter::Done),
        Ok(FailureState::Discarded) => Ok(StateFilter::Discarded),
        Ok(FailureState::Waiting | FailureState::Redriving) | Err(_) => {
            let field = InvalidField {
                field: "state",
                expected: "must be done, discarded, or unspecified for those that are not closed"
                    .to_owned(),
            };
            Err(UseCaseError::invalid(Violation::InvalidValue, field))
        }
    }
}
