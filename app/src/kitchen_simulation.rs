//! How simulated kitchens are to behave.

use pizza_contract::SetKitchenSimulation;
use pizza_domain::{InvalidField, KitchenSimulation};

use super::error::{UseCaseError, Violation};
use super::use_cases::UseCases;

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
        let simulation = checked(&request)
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

/// What is missing is as in a kitchen that behaves.
fn checked(request: &SetKitchenSimulation) -> Result<KitchenSimulation, InvalidField> {
    let ppm =
        |field, rate: Option<f64>| KitchenSimulation::ppm_from(field, rate.unwrap_or_default());
    Ok(KitchenSimulation {
        paused: request.paused.unwrap_or_default(),
        delay_ms: KitchenSimulation::delay_ms_from(request.delay_seconds.unwrap_or_default())?,
        lose_ppm: ppm("loseRate", request.lose_rate)?,
        repeat_ppm: ppm("repeatRate", request.repeat_rate)?,
        reorder_ppm: ppm("reorderRate", request.reorder_rate)?,
        seed: KitchenSimulation::seed_from(request.seed.unwrap_or_default())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_as_in_a_kitchen_that_behaves() {
        let nothing = SetKitchenSimulation::default();
        assert_eq!(checked(&nothing), Ok(KitchenSimulation::default()));
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
            assert_eq!(checked(&bad).expect_err(name).field, name);
        }
    }
}
