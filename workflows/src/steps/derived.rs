//! What follows from the declarations of all steps.

use pizza_domain::{ErrorOnStep, MoneyState, OrderStatus, PointsState, Simulation, Step};

use super::spec::{Parked, Part, StepSpec};
use super::{STEPS, customers};

impl StepSpec {
    /// The declaration of a step.
    #[must_use]
    pub const fn of(step: Step) -> &'static Self {
        STEPS[step as usize]
    }

    /// The step that this activity takes; none for bookkeeping.
    #[must_use]
    pub fn of_activity(activity: &str) -> Option<&'static Self> {
        STEPS
            .into_iter()
            .find(|spec| spec.activity == Some(activity))
    }

    /// The steps whose success this one may follow: the one before it in its
    /// branch, or all before it in the rollback.
    #[must_use]
    pub fn follows(&self) -> Vec<&'static Self> {
        let before = |part| {
            let before = STEPS.into_iter().filter(|it| it.step < self.step);
            before.filter(move |it| it.part == part)
        };
        if self.part == Part::Rollback {
            return before(Part::Rollback).collect();
        }
        let in_branch = before(self.part).next_back();
        let in_order = before(Part::Order).next_back();
        in_branch.or(in_order).into_iter().collect()
    }

    /// The steps whose failure this one may follow. What a failed step may have
    /// done is compensated; a rollback goes on behind a step that is parked, but
    /// for the points, which stay until the refund is settled; the customer is
    /// notified of each end.
    #[must_use]
    pub fn follows_failure_of(&self) -> Vec<&'static Self> {
        let refunds = self.step == Step::RefundPayment;
        let notifies = self.step == Step::NotifyCustomer;
        let leads_here = |failed: &&Self| match failed.part {
            Part::Order => notifies || self.compensates.is_some_and(|step| step <= failed.step),
            Part::Loyalty => false,
            Part::Fulfilment => refunds,
            Part::Rollback => {
                let is_later = self.part == Part::Rollback && failed.step < self.step;
                is_later && self.step != Step::ReclaimLoyaltyPoints
            }
        };
        STEPS.into_iter().filter(leads_here).collect()
    }

    /// Whether this step is to fail in a demonstration.
    #[must_use]
    pub fn fails_in(&self, simulation: Simulation) -> bool {
        let ErrorOnStep::Step(failing) = simulation.error_on_step else {
            return false;
        };
        let with = Self::of(failing).simulated.as_ref().and_then(|it| it.with);
        failing == self.step || with == Some(self.step)
    }
}

/// How an order ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedEnd {
    /// Its last status.
    pub status: OrderStatus,
    /// What became of the money.
    pub money: MoneyState,
    /// What became of the points.
    pub points: PointsState,
    /// The step that waits in a failure queue.
    pub parked: Option<&'static Parked>,
}

impl ExpectedEnd {
    /// How an order of this scenario ends. The command `scenarios`, the load
    /// and the journeys hold orders against it.
    #[must_use]
    pub fn of(scenario: ErrorOnStep) -> Self {
        let delivered = Self {
            status: OrderStatus::DeliveryConfirmed,
            money: MoneyState::Charged,
            points: PointsState::Awarded,
            parked: None,
        };
        let rolled_back = Self {
            status: OrderStatus::Cancelled,
            money: MoneyState::Refunded,
            points: PointsState::Reclaimed,
            parked: None,
        };
        let ErrorOnStep::Step(failing) = scenario else {
            return delivered;
        };
        let StepSpec { part, parked, .. } = *StepSpec::of(failing);
        let end = match part {
            Part::Order => Self {
                money: match failing > Step::ProcessPayment {
                    true => MoneyState::Refunded,
                    false => MoneyState::NotCharged,
                },
                points: PointsState::None,
                ..rolled_back
            },
            Part::Loyalty => delivered,
            // Points stay until the refund is settled.
            Part::Rollback if failing == Step::RefundPayment => Self {
                points: PointsState::Awarded,
                ..rolled_back
            },
            Part::Fulfilment | Part::Rollback => rolled_back,
        };
        Self {
            parked,
            money: parked.and_then(|it| it.money).unwrap_or(end.money),
            points: parked.and_then(|it| it.points).unwrap_or(end.points),
            ..end
        }
    }
}

impl Parked {
    const COUNT: usize = {
        let (mut count, mut place) = (0, 0);
        while place < STEPS.len() {
            count += STEPS[place].parked.is_some() as usize;
            place += 1;
        }
        count
    };

    /// Those of all steps.
    pub const ALL: [&'static Self; Self::COUNT] = {
        let mut all = [&customers::NOTIFY_CUSTOMER_FAILED; Self::COUNT];
        let (mut count, mut place) = (0, 0);
        while place < STEPS.len() {
            if let Some(parked) = STEPS[place].parked {
                all[count] = parked;
                count += 1;
            }
            place += 1;
        }
        all
    };

    /// The one with this type of message.
    #[must_use]
    pub fn of_message_type(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|it| it.message_type == name)
    }

    /// The one in this queue.
    #[must_use]
    pub fn of_queue(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|it| it.queue == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{loyalty, payments};

    #[test]
    fn every_step_is_declared_at_its_place() {
        assert_eq!(STEPS.map(|spec| spec.step), Step::ALL);
        for spec in STEPS {
            let parked = spec.parked.map(|parked| parked.step);
            assert!(parked.is_none_or(|step| step == spec.step));
        }
    }

    /// The table of the specification (`docs/saga.md`).
    #[test]
    fn each_scenario_has_its_end() {
        let ends = ErrorOnStep::SCENARIOS.map(|scenario| {
            let end = ExpectedEnd::of(scenario);
            let parked = end.parked.map_or("", |parked| parked.message_type);
            let end = (end.status.as_str(), end.money.as_str(), end.points.as_str());
            (end.0, end.1, end.2, parked)
        });
        assert_eq!(
            ends[..8],
            [
                ("DeliveryConfirmed", "charged", "awarded", ""),
                ("Cancelled", "notCharged", "none", ""),
                ("Cancelled", "notCharged", "none", ""),
                (
                    "DeliveryConfirmed",
                    "charged",
                    "parked",
                    "AddLoyaltyPointsFailed"
                ),
                ("Cancelled", "refunded", "reclaimed", ""),
                ("Cancelled", "refunded", "reclaimed", ""),
                (
                    "Cancelled",
                    "refundParked",
                    "awarded",
                    "RefundPaymentFailed"
                ),
                (
                    "Cancelled",
                    "refunded",
                    "reclaimParked",
                    "RemoveLoyaltyPointsFailed"
                ),
            ]
        );
    }

    #[test]
    fn no_step_follows_a_later_one() {
        for spec in STEPS {
            let mut led_to = spec.follows().into_iter().chain(spec.follows_failure_of());
            assert!(
                led_to.all(|before| before.step < spec.step),
                "{}",
                spec.step
            );
        }
    }

    /// A step has one name. The points' reclaim has kept an older one.
    #[test]
    fn the_names_of_a_step_come_from_one() {
        let pascal = |name: &str| name[..1].to_uppercase() + &name[1..];
        let kebab = |name: &str| {
            let dashed = |letter: char| match letter.is_uppercase() {
                true => format!("-{}", letter.to_lowercase()),
                false => letter.to_string(),
            };
            name.chars().map(dashed).collect::<String>()
        };
        for spec in STEPS {
            let name = spec.step.as_str();
            if let Some(activity) = spec.activity {
                assert_eq!(activity, name);
            }
            let Some(parked) = spec.parked else { continue };
            let expected = match spec.step {
                Step::ReclaimLoyaltyPoints => "removeLoyaltyPoints",
                _ => name,
            };
            assert_eq!(parked.queue, kebab(expected));
            assert_eq!(parked.message_type, format!("{}Failed", pascal(expected)));
        }
    }

    #[test]
    fn a_failing_compensation_needs_a_rollback_to_fail_in() {
        for spec in STEPS.into_iter().filter(|spec| spec.compensates.is_some()) {
            let simulation = Simulation {
                error_on_step: ErrorOnStep::Step(spec.step),
                ..Simulation::default()
            };
            let fail = STEPS.into_iter().filter(|it| it.fails_in(simulation));
            let fail: Vec<Step> = fail.map(|it| it.step).collect();
            assert!(fail.len() == 2 && fail.contains(&spec.step), "{fail:?}");
        }
    }

    #[test]
    fn what_is_owed_is_told_with_its_figures() {
        for (parked, owed) in [
            (loyalty::ADD_LOYALTY_POINTS_FAILED, "1 point to ann"),
            (payments::REFUND_PAYMENT_FAILED, "12.00 back to ann"),
            (
                customers::NOTIFY_CUSTOMER_FAILED,
                "word to ann that the order was cancelled",
            ),
        ] {
            assert_eq!(parked.owes("ann", Some(1200), Some(1)), owed);
        }
        let unknown = payments::REFUND_PAYMENT_FAILED.owes("ann", None, None);
        assert_eq!(unknown, "the charge back to ann");
    }

    #[test]
    fn the_waits_are_those_of_the_specification() {
        let waits = |step: Step| -> Vec<f64> {
            let policies = std::iter::successors(Some(StepSpec::of(step).policy()), |policy| {
                policy.after_first_attempt()
            });
            let waits = policies.map(|policy| policy.first_wait.as_secs_f64());
            let mut waits: Vec<f64> = waits.map(|wait| (wait * 1e6).round() / 1e6).collect();
            // The last policy stands for the last attempt.
            waits.pop();
            waits
        };
        assert_eq!(waits(Step::CreateOrder), [1.0, 2.0, 4.0]);
        let six = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        for step in [
            Step::ProcessPayment,
            Step::AddLoyaltyPoints,
            Step::PrepareOrder,
            Step::ReclaimLoyaltyPoints,
        ] {
            assert_eq!(waits(step), six, "{step}");
        }
        assert_eq!(waits(Step::RefundPayment), [1.0, 1.1, 1.21, 1.331, 1.4641]);
        assert_eq!(waits(Step::NotifyCustomer), [1.0, 2.0, 4.0, 8.0, 16.0]);
    }
}
