//! How simulated kitchens are to behave.

use pizza_domain::KitchenSimulation;
use sqlx::Row;

use super::{Store, StoreError, now_ms};

/// The one row of the table.
const ROW: i64 = 1;

impl Store {
    /// How simulated kitchens are to behave.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.kitchen_simulation", level = "debug", skip_all)]
    pub async fn kitchen_simulation(&self) -> Result<KitchenSimulation, StoreError> {
        self.within(async {
            let row = sqlx::query(
                "SELECT paused, delay_ms, lose_ppm, repeat_ppm, reorder_ppm, seed \
             FROM kitchen_simulation WHERE id = $1",
            )
            .bind(ROW)
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else {
                return Ok(KitchenSimulation::default());
            };
            let number = |column: &str| -> Result<u64, StoreError> {
                Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
            };
            let ppm =
                |column: &str| number(column).map(|ppm| u32::try_from(ppm).unwrap_or_default());
            Ok(KitchenSimulation {
                paused: number("paused")? != 0,
                delay_ms: u32::try_from(number("delay_ms")?).unwrap_or_default(),
                lose_ppm: ppm("lose_ppm")?,
                repeat_ppm: ppm("repeat_ppm")?,
                reorder_ppm: ppm("reorder_ppm")?,
                seed: number("seed")?,
            })
        })
        .await
    }

    /// Changes how simulated kitchens are to behave.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.set_kitchen_simulation", level = "debug", skip_all)]
    pub async fn set_kitchen_simulation(
        &self,
        simulation: &KitchenSimulation,
    ) -> Result<(), StoreError> {
        self.within(async {
            sqlx::query(
                "INSERT INTO kitchen_simulation \
             (id, paused, delay_ms, lose_ppm, repeat_ppm, reorder_ppm, seed, changed_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (id) DO UPDATE SET paused = excluded.paused, \
             delay_ms = excluded.delay_ms, lose_ppm = excluded.lose_ppm, \
             repeat_ppm = excluded.repeat_ppm, reorder_ppm = excluded.reorder_ppm, \
             seed = excluded.seed, changed_at_ms = excluded.changed_at_ms",
            )
            .bind(ROW)
            .bind(i64::from(simulation.paused))
            .bind(i64::from(simulation.delay_ms))
            .bind(i64::from(simulation.lose_ppm))
            .bind(i64::from(simulation.repeat_ppm))
            .bind(i64::from(simulation.reorder_ppm))
            // A seed has 63 bits.
            .bind(i64::try_from(simulation.seed).unwrap_or(i64::MAX))
            .bind(now_ms())
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}
