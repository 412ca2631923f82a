//! Why an order is not changed.

use std::error::Error;

use failure_queue::refused;
use pizza_domain::Amendment;
use temporalio_common::error::ApplicationFailure;

use crate::names::failure_type;

/// Why an order was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// The courier has it.
    #[error("the order is on its way")]
    OnItsWay,
    /// The customer has it.
    #[error("the order was delivered")]
    Delivered,
    /// The kitchen has accepted it.
    #[error("the kitchen cooks already")]
    Cooking,
    /// It is cancelled, or about to be.
    #[error("the order is cancelled")]
    Over,
    /// It is already as the customer wants it.
    #[error("the order is already like that")]
    Unchanged,
    /// It was amended too often.
    #[error("the order was amended {most} times", most = Amendment::MOST_OF_AN_ORDER)]
    TooMany,
    /// The payment of the difference, or the points, were refused.
    #[error("{0}")]
    Declined(String),
    /// Whoever moves money or points could not be reached.
    #[error("{0}")]
    Failed(String),
}

impl ChangeRefusal {
    /// The refusal that a failure of this type and with this message stands
    /// for.
    #[must_use]
    pub fn from_failure(type_name: &str, message: &str) -> Option<Self> {
        let known = [
            Self::OnItsWay,
            Self::Delivered,
            Self::Cooking,
            Self::Over,
            Self::Unchanged,
            Self::TooMany,
            Self::Declined(message.to_owned()),
            Self::Failed(message.to_owned()),
        ];
        known
            .into_iter()
            .find(|refusal| refusal.type_name() == type_name)
    }

    const fn type_name(&self) -> &'static str {
        match self {
            Self::OnItsWay => failure_type::ORDER_ON_ITS_WAY,
            Self::Delivered => failure_type::ORDER_DELIVERED,
            Self::Cooking => failure_type::ORDER_COOKING,
            Self::Over => failure_type::ORDER_OVER,
            Self::Unchanged => failure_type::ORDER_UNCHANGED,
            Self::TooMany => failure_type::TOO_MANY_AMENDMENTS,
            Self::Declined(_) => failure_type::AMENDMENT_DECLINED,
            Self::Failed(_) => failure_type::AMENDMENT_FAILED,
        }
    }
}

/// A refusal as an update answers it.
pub(crate) fn refusal(refusal: ChangeRefusal) -> Box<dyn Error + Send + Sync> {
    let type_name = refusal.type_name().to_owned();
    let failure = ApplicationFailure::builder(refusal)
        .type_name(type_name)
        .non_retryable(true)
        .build();
    refused("the order was not changed", failure)
}
