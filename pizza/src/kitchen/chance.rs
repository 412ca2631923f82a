//! What goes wrong in an unreliable kitchen, and when.
//!
//! Nothing is drawn: each choice follows from the seed and from what it is
//! about. So a run with the same seed makes the same choices for the same
//! tickets, whichever kitchen makes them, and however often it is restarted.

use pizza_domain::{KitchenReport, OrderId};

use crate::chance::fraction;
use pizza_contract::KitchenSimulation;

/// What goes wrong with one report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mishap {
    /// It is never made.
    pub(super) lost: bool,
    /// It is made twice.
    pub(super) repeated: bool,
    /// The one after it is tried first.
    pub(super) reordered: bool,
}

impl Mishap {
    /// What goes wrong with this report.
    pub(super) fn of(
        simulation: &KitchenSimulation,
        ticket: OrderId,
        report: KitchenReport,
    ) -> Self {
        let happens = |what: &str, rate: f64| {
            let text = format!("{} {ticket} {report} {what}", simulation.seed);
            fraction(&text) < rate
        };
        Self {
            lost: happens("lost", simulation.lose_rate),
            repeated: happens("repeated", simulation.repeat_rate),
            reordered: happens("reordered", simulation.reorder_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn simulation(rate: f64, seed: u64) -> KitchenSimulation {
        KitchenSimulation {
            lose_rate: rate,
            repeat_rate: rate,
            reorder_rate: rate,
            seed,
            ..KitchenSimulation::default()
        }
    }

    fn mishaps(simulation: &KitchenSimulation) -> Vec<Mishap> {
        (0..2_000)
            .map(|number| {
                let ticket = OrderId::from_uuid(Uuid::from_u128(number));
                Mishap::of(simulation, ticket, KitchenReport::Cooked)
            })
            .collect()
    }

    #[test]
    fn mishaps_follow_from_the_seed_and_come_as_often_as_is_said() {
        let some = simulation(0.1, 7);
        let all = mishaps(&some);
        assert_eq!(all, mishaps(&some));
        assert_ne!(all, mishaps(&simulation(0.1, 8)));
        for which in [
            |mishap: &&Mishap| mishap.lost,
            |mishap: &&Mishap| mishap.repeated,
            |mishap: &&Mishap| mishap.reordered,
        ] {
            let count = all.iter().filter(which).count();
            assert!((150..250).contains(&count), "{count} of 2000");
        }
    }

    #[test]
    fn never_is_never_and_always_is_always() {
        let never = mishaps(&simulation(0.0, 7));
        assert!(never.iter().all(|mishap| *mishap == Mishap::default()));
        let always = mishaps(&simulation(1.0, 7));
        assert!(always.iter().all(|mishap| mishap.lost && mishap.repeated));
    }
}
