//! Which orders there are to be, and how many of each.

use std::fmt;
use std::str::FromStr;

use pizza_domain::ErrorOnStep;

/// The greatest weight.
const MAX_WEIGHT: u32 = 1_000_000;

/// What an order is to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scenario {
    /// A step fails for good, or none does.
    Fails(ErrorOnStep),
    /// The customer cancels it as soon as it is placed.
    Cancel,
    /// The customer wants another quantity as soon as it is placed.
    Amend,
}

impl Scenario {
    /// Its name on the command line and in the report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fails(step) => step.as_str(),
            Self::Cancel => "cancel",
            Self::Amend => "amend",
        }
    }

    /// Whether it needs a gateway that simulates errors.
    pub(super) const fn is_simulated(self) -> bool {
        matches!(self, Self::Fails(ErrorOnStep::Step(_)))
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let by_number = |text: &str| ErrorOnStep::from_number(text.parse().ok()?).ok();
        match text {
            "cancel" => Ok(Self::Cancel),
            "amend" => Ok(Self::Amend),
            _ => by_number(text)
                .or_else(|| text.parse().ok())
                .map(Self::Fails)
                .ok_or_else(|| {
                    format!(
                        "{text:?} is no scenario: none, createOrder, processPayment, \
                         addLoyaltyPoints, prepareOrder, processOrder, refundPayment, \
                         reclaimLoyaltyPoints or their numbers 0 to 7, cancel, amend"
                    )
                }),
        }
    }
}

/// Scenarios, each with its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mix(Vec<(Scenario, u32)>);

impl Mix {
    /// The scenario that a number from 0 to 1, without 1, chooses.
    pub(super) fn choose(&self, fraction: f64) -> Scenario {
        let mut left = fraction * f64::from(self.total());
        for (scenario, weight) in &self.0 {
            left -= f64::from(*weight);
            if left < 0.0 {
                return *scenario;
            }
        }
        self.0[self.0.len() - 1].0
    }

    /// Whether any of it needs a gateway that simulates errors.
    pub(super) fn is_simulated(&self) -> bool {
        self.0.iter().any(|(scenario, _)| scenario.is_simulated())
    }

    /// At most ten scenarios of [`MAX_WEIGHT`]: no overflow.
    fn total(&self) -> u32 {
        self.0.iter().map(|(_, weight)| weight).sum()
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts: Vec<(Scenario, u32)> = Vec::new();
        for part in text.split(',') {
            let (scenario, weight) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not SCENARIO=WEIGHT"))?;
            let scenario: Scenario = scenario.trim().parse()?;
            let weight = weight
                .trim()
                .parse()
                .ok()
                .filter(|weight| (1..=MAX_WEIGHT).contains(weight))
                .ok_or_else(|| {
                    format!(
                        "the weight of {} must be a whole number from 1 to {MAX_WEIGHT}",
                        scenario.name()
                    )
                })?;
            if parts.iter().any(|(known, _)| *known == scenario) {
                return Err(format!("{} is given twice", scenario.name()));
            }
            parts.push((scenario, weight));
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (scenario, weight)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", scenario.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::chance::fraction;

    fn mix(text: &str) -> Mix {
        text.parse().expect(text)
    }

    #[test]
    fn scenarios_come_as_often_as_their_weights_say() {
        let mix = mix("none=90, 2=3,addLoyaltyPoints=3,6=1,cancel=2,amend=1");
        let mut counts = HashMap::new();
        for number in 0..10_000 {
            let scenario = mix.choose(fraction(&format!("a seed {number}")));
            *counts.entry(scenario.name()).or_insert(0_u32) += 1;
        }
        for (name, percent) in [
            ("none", 90),
            ("processPayment", 3),
            ("addLoyaltyPoints", 3),
            ("refundPayment", 1),
            ("cancel", 2),
            ("amend", 1),
        ] {
            let (count, wanted) = (counts[name], percent * 100);
            assert!(count.abs_diff(wanted) < 60, "{name}: {count} of {wanted}");
        }
        assert!(mix.is_simulated());
        assert_eq!(mix.choose(0.0).name(), "none");
        assert_eq!(mix.choose(1.0).name(), "amend");
    }

    #[test]
    fn a_mix_is_printed_as_it_is_read() {
        let text = "none=1,createOrder=1000000,cancel=7";
        assert_eq!(mix(text).to_string(), text);
        assert!(!mix("0=1,cancel=1,amend=1").is_simulated());
    }

    #[test]
    fn a_bad_mix_names_what_is_bad() {
        let long = "none=1,".repeat(100_000);
        for (text, part) in [
            ("", "is not SCENARIO=WEIGHT"),
            ("none", "\"none\" is not SCENARIO=WEIGHT"),
            ("none=1,", "\"\" is not SCENARIO=WEIGHT"),
            ("8=1", "\"8\" is no scenario"),
            ("ALL=1", "\"ALL\" is no scenario"),
            ("notifyCustomer=1", "is no scenario"),
            ("\u{1b}[2J=1", "\"\\u{1b}[2J\" is no scenario"),
            ("none=0", "the weight of none must be"),
            ("none=-1", "the weight of none must be"),
            ("none=1.5", "the weight of none must be"),
            ("none=1000001", "from 1 to 1000000"),
            ("none=99999999999999999999", "from 1 to 1000000"),
            ("4=1=2", "the weight of prepareOrder"),
            ("none=1,0=1", "none is given twice"),
            (&long, "none is given twice"),
        ] {
            let error = text.parse::<Mix>().expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
