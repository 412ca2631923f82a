//! How simulated kitchens are to behave.

use pizza_domain::{InvalidField, KitchenSimulation};

use super::error::{UseCaseError, Violation};
use super::use_cases::UseCases;

/// How simulated kitchens are to behave, as a client says it, not checked yet.
/// What is missing is as in a kitchen that behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SetKitchenSimulation {
    /// Nothing is reported.
    pub paused: Option<bool>,
    /// The wait before each report, in seconds.
    pub delay_seconds: Option<f64>,
    /// How likely it is that a report is never made.
    pub lose_rate: Option<f64>,
    /// How likely it is that it is made twice.
    pub repeat_rate: Option<f64>,
    /// How likely it is that it comes after the one that should follow it.
    pub reorder_rate: Option<f64>,
    /// What the choice of those reports follows from.
    pub seed: Option<i128>,
}

impl SetKitchenSimulation {
    fn check(&self) -> Result<KitchenSimulation, InvalidField> {
        let ppm =
            |field, rate: Option<f64>| KitchenSimulation::ppm_from(field, rate.unwrap_or_default());
        Ok(KitchenSimulation {
            paused: self.paused.unwrap_or_default(),
            delay_ms: KitchenSimulation::delay_ms_from(self.delay_seconds.unwrap_or_default())?,
            lose_ppm: ppm("loseRate", self.lose_rate)?,
            repeat_ppm: ppm("repeatRate", self.repeat_rate)?,
            reorder_ppm: ppm("reorderRate", self.reorder_rate)?,
            seed: KitchenSimulation::seed_from(self.seed.unwrap_or_default())?,
        })
    }
}

impl UseCases {
    /// How simulated kitchens are to behave. Where errors are not simulated
    /// they are reliable, whatever another gateway once let them be.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn kitchen_simulation(&self) -> Result<KitchenSimulation, UseCaseError> {
        let simulation = self.store.kitchen_simulation().await?;
        Ok(if self.settings.fault_injection {
            simulation
        } else {
            simulation.reliable()
        })
    }

    /// Stops simulated kitchens, or lets them go on, as they behaved before.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn pause_kitchen_simulation(&self, paused: bool) -> Result<(), UseCaseError> {
        let simulation = KitchenSimulation {
            paused,
            ..self.kitchen_simulation().await?
        };
        Ok(self.store.set_kitchen_simulation(&simulation).await?)
    }

    /// Changes how simulated kitchens are to behave.
    ///
    /// # Errors
    /// When a value is not allowed, errors are not simulated here, or the
    /// store is away.
    pub async fn set_kitchen_simulation(
        &self,
        request: SetKitchenSimulation,
    ) -> Result<KitchenSimulation, UseCaseError> {
        let simulation = request
            .check()
            .map_err(|field| UseCaseError::invalid(Violation::OutOfRange, field))?;
        if let Some(field) = simulation.fault_field()
            && !self.settings.fault_injection
        {
            return Err(UseCaseError::FaultInjectionDisabled { field });
        }
        self.store.set_kitchen_simulation(&simulation).await?;
        Ok(simulation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_as_in_a_kitchen_that_behaves() {
        let nothing = SetKitchenSimulation::default();
        assert_eq!(nothing.check(), Ok(KitchenSimulation::default()));
    }

    #[test]
    fn each_value_is_named_when_it_is_out_of_range() {
        let nothing = SetKitchenSimulation::default();
        let named = [
            (
                "delaySeconds",
                SetKitchenSimulation {
                    delay_seconds: Some(3601.0),
                    ..nothing
                },
            ),
            (
                "loseRate",
                SetKitchenSimulation {
                    lose_rate: Some(1.5),
                    ..nothing
                },
            ),
            (
                "repeatRate",
                SetKitchenSimulation {
                    repeat_rate: Some(-0.5),
                    ..nothing
                },
            ),
            (
                "reorderRate",
                SetKitchenSimulation {
                    reorder_rate: Some(2.0),
                    ..nothing
                },
            ),
            (
                "seed",
                SetKitchenSimulation {
                    seed: Some(-1),
                    ..nothing
                },
            ),
        ];
        for (name, bad) in named {
            assert_eq!(bad.check().expect_err(name).field, name);
        }
    }
}
