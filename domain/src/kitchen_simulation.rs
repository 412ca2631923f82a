//! How simulated kitchens are to behave.

use crate::{InvalidField, Pace};

/// A whole, in millionths.
const MILLION: u32 = 1_000_000;

/// How simulated kitchens are to behave; by default as they should. Real ones
/// ignore it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KitchenSimulation {
    /// Nothing is reported.
    pub paused: bool,
    /// The wait before each report, in milliseconds, beside the pace of its
    /// order.
    pub delay_ms: u32,
    /// How many of a million reports are never made.
    pub lose_ppm: u32,
    /// How many of a million are made twice.
    pub repeat_ppm: u32,
    /// How many of a million come after the one that should follow them.
    pub reorder_ppm: u32,
    /// What the choice of those reports follows from: 63 bits.
    pub seed: u64,
}

impl KitchenSimulation {
    /// The largest seed.
    pub const MAX_SEED: u64 = i64::MAX as u64;

    /// The first field that has reports go wrong on purpose, if one does.
    #[must_use]
    pub fn fault_field(&self) -> Option<&'static str> {
        [
            ("loseRate", self.lose_ppm),
            ("repeatRate", self.repeat_ppm),
            ("reorderRate", self.reorder_ppm),
        ]
        .into_iter()
        .find_map(|(field, ppm)| (ppm > 0).then_some(field))
    }

    /// The same kitchen, but reliable.
    #[must_use]
    pub const fn reliable(self) -> Self {
        Self {
            lose_ppm: 0,
            repeat_ppm: 0,
            reorder_ppm: 0,
            ..self
        }
    }

    /// Reads a wait in seconds, kept to the millisecond.
    ///
    /// # Errors
    /// When it is not a number from 0 to 3600.
    pub fn delay_ms_from(seconds: f64) -> Result<u32, InvalidField> {
        let delay = Pace::from_seconds(seconds).map_err(|invalid| InvalidField {
            field: "delaySeconds",
            ..invalid
        })?;
        Ok(u32::try_from(delay.duration().as_millis()).unwrap_or(u32::MAX))
    }

    /// Reads a probability, kept to the millionth.
    ///
    /// # Errors
    /// When it is not a number from 0 to 1.
    pub fn ppm_from(field: &'static str, rate: f64) -> Result<u32, InvalidField> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(InvalidField::new(field, "must be a number from 0 to 1"));
        }
        // In range, so the cast neither truncates nor wraps.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let ppm = (rate * f64::from(MILLION)).round() as u32;
        // What is more than nothing stays so.
        Ok(if rate > 0.0 { ppm.max(1) } else { 0 })
    }

    /// A number of millionths as a probability.
    #[must_use]
    pub fn rate(ppm: u32) -> f64 {
        f64::from(ppm) / f64::from(MILLION)
    }

    /// Reads a seed, however large it came in.
    ///
    /// # Errors
    /// When it has no 63 bits.
    pub fn seed_from(number: i128) -> Result<u64, InvalidField> {
        u64::try_from(number)
            .ok()
            .filter(|seed| *seed <= Self::MAX_SEED)
            .ok_or_else(|| {
                InvalidField::new("seed", format!("must be from 0 to {}", Self::MAX_SEED))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_probabilities_and_what_is_not_is_named() {
        for (rate, ppm) in [(0.0, 0), (1.0, MILLION), (0.05, 50_000), (1e-9, 1)] {
            assert_eq!(KitchenSimulation::ppm_from("loseRate", rate), Ok(ppm));
        }
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let refused = KitchenSimulation::ppm_from("loseRate", bad).expect_err("refused");
            assert_eq!(refused.to_string(), "loseRate must be a number from 0 to 1");
        }
        assert!((KitchenSimulation::rate(50_000) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_seed_has_63_bits_and_a_delay_an_hour() {
        assert_eq!(KitchenSimulation::seed_from(7), Ok(7));
        for bad in [-1, i128::from(i64::MAX) + 1, i128::MAX] {
            assert!(KitchenSimulation::seed_from(bad).is_err(), "{bad}");
        }
        assert_eq!(KitchenSimulation::delay_ms_from(0.25), Ok(250));
        let refused = KitchenSimulation::delay_ms_from(3601.0).expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "delaySeconds must be a number from 0 to 3600"
        );
    }

    #[test]
    fn a_slow_kitchen_is_not_an_unreliable_one() {
        let slow = KitchenSimulation {
            paused: true,
            delay_ms: 1,
            seed: 3,
            ..KitchenSimulation::default()
        };
        assert_eq!(slow.fault_field(), None);
        let bad = KitchenSimulation {
            lose_ppm: 1,
            repeat_ppm: 1,
            reorder_ppm: 1,
            ..slow
        };
        assert_eq!(bad.fault_field(), Some("loseRate"));
        assert_eq!(bad.reliable(), slow);
    }
}
