//! The saga as one description, for whoever draws it: its steps, the workflow
//! that takes each, and what follows what.
//!
//! The plan itself is the code beside this. `tests/saga_description.rs` holds the
//! description against the recorded histories of every way an order can go.

use pizza_domain::Step;

use crate::names::{activity, workflow_type};

/// A step of the saga, in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The step.
    pub step: Step,
    /// The type of the workflow that takes it.
    pub workflow: &'static str,
    /// The activity that takes it; none for a wait.
    pub activity: Option<&'static str>,
    /// The steps whose good end it may follow.
    pub follows: &'static [Step],
    /// The steps whose failure it may follow.
    pub follows_failure_of: &'static [Step],
    /// The step whose effect it takes back.
    pub takes_back: Option<Step>,
}

/// Every step, in the order in which an order meets them.
pub const STATIONS: [Station; 8] = [
    Station {
        step: Step::CreateOrder,
        workflow: workflow_type::ORDER,
        activity: Some(activity::CREATE_ORDER),
        follows: &[],
        follows_failure_of: &[],
        takes_back: None,
    },
    Station {
        step: Step::ProcessPayment,
        workflow: workflow_type::ORDER,
        activity: Some(activity::PROCESS_PAYMENT),
        follows: &[Step::CreateOrder],
        follows_failure_of: &[],
        takes_back: None,
    },
    Station {
        step: Step::AddLoyaltyPoints,
        workflow: workflow_type::LOYALTY,
        activity: Some(activity::ADD_LOYALTY_POINTS),
        follows: &[Step::ProcessPayment],
        follows_failure_of: &[],
        takes_back: None,
    },
    Station {
        step: Step::PrepareOrder,
        workflow: workflow_type::FULFILMENT,
        activity: Some(activity::PREPARE_ORDER),
        follows: &[Step::ProcessPayment],
        follows_failure_of: &[],
        takes_back: None,
    },
    Station {
        step: Step::ProcessOrder,
        workflow: workflow_type::FULFILMENT,
        activity: None,
        follows: &[Step::PrepareOrder],
        follows_failure_of: &[],
        takes_back: None,
    },
    Station {
        step: Step::RefundPayment,
        workflow: workflow_type::ORDER,
        activity: Some(activity::REFUND_PAYMENT),
        follows: &[],
        follows_failure_of: &[Step::ProcessPayment, Step::PrepareOrder, Step::ProcessOrder],
        takes_back: Some(Step::ProcessPayment),
    },
    Station {
        step: Step::ReclaimLoyaltyPoints,
        workflow: workflow_type::ORDER,
        activity: Some(activity::RECLAIM_LOYALTY_POINTS),
        follows: &[Step::RefundPayment],
        follows_failure_of: &[],
        takes_back: Some(Step::AddLoyaltyPoints),
    },
    Station {
        step: Step::NotifyCustomer,
        workflow: workflow_type::ORDER,
        activity: Some(activity::NOTIFY_CUSTOMER),
        follows: &[Step::RefundPayment, Step::ReclaimLoyaltyPoints],
        follows_failure_of: &[
            Step::CreateOrder,
            Step::ProcessPayment,
            Step::RefundPayment,
            Step::ReclaimLoyaltyPoints,
        ],
        takes_back: None,
    },
];

impl Station {
    /// The station of a step.
    ///
    /// Every step has one: a test counts them.
    #[must_use]
    pub fn of(step: Step) -> Option<&'static Self> {
        STATIONS.iter().find(|station| station.step == step)
    }

    /// The station whose step this activity takes; none for bookkeeping.
    #[must_use]
    pub fn of_activity(activity: &str) -> Option<&'static Self> {
        let is_its = |station: &&Self| station.activity == Some(activity);
        STATIONS.iter().find(is_its)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_station() {
        let steps = STATIONS.map(|station| station.step);
        assert_eq!(steps, Step::ALL);
        for step in Step::ALL {
            assert_eq!(Station::of(step).map(|station| station.step), Some(step));
        }
    }

    #[test]
    fn nothing_follows_what_comes_after_it() {
        for (place, station) in STATIONS.iter().enumerate() {
            let before = STATIONS[..place].iter().map(|station| station.step);
            let before: Vec<Step> = before.collect();
            let named = station.follows.iter().chain(station.follows_failure_of);
            for step in named.chain(&station.takes_back) {
                assert!(before.contains(step), "{} after {step}", station.step);
            }
        }
    }
}
