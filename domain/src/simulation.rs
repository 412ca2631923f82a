//! What an order asks of the simulated outside parties.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{InvalidField, Step};

/// Which step is to fail for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ErrorOnStep {
    /// Nothing fails.
    #[default]
    None,
    /// This step fails. Never [`Step::NotifyCustomer`].
    Step(Step),
}

impl ErrorOnStep {
    /// The scenarios of `ALL`, in the order of their numbers.
    pub const SCENARIOS: [Self; Step::OF_SCENARIOS.len() + 1] = {
        let mut scenarios = [Self::None; Step::OF_SCENARIOS.len() + 1];
        let mut row = 0;
        while row < Step::OF_SCENARIOS.len() {
            let (number, step) = Step::OF_SCENARIOS[row];
            scenarios[number] = Self::Step(step);
            row += 1;
        }
        scenarios
    };

    /// Every choice: the numbered scenarios, then those of the steps that only
    /// their name chooses.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = Step::ALL
            .into_iter()
            .filter(|step| *step != Step::NotifyCustomer);
        let others = others.map(Self::Step);
        let others = others.filter(|choice| !Self::SCENARIOS.contains(choice));
        Self::SCENARIOS.into_iter().chain(others)
    }

    /// The number that stands for `ALL`: one order for each scenario. It is
    /// a way to place orders, not a property of one.
    pub const ALL_NUMBER: u64 = 100;
    /// The name that stands for `ALL`.
    pub const ALL_NAME: &'static str = "ALL";

    /// The scenario with this number.
    ///
    /// # Errors
    /// When no scenario has the number.
    pub fn from_number(number: u64) -> Result<Self, InvalidField> {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::SCENARIOS.get(index).copied())
            .ok_or_else(Self::invalid)
    }

    /// The scenario's name: `none` or the step's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Step(step) => step.as_str(),
        }
    }

    fn invalid() -> InvalidField {
        let names: Vec<_> = Self::all().map(Self::as_str).collect();
        let names = names.join(", ");
        let (last, all) = (Self::SCENARIOS.len() - 1, Self::ALL_NUMBER);
        let name = Self::ALL_NAME;
        InvalidField::new(
            "errorOnStep",
            format!("must be 0 to {last}, or {all} for {name}, or the name: {names}, {name}"),
        )
    }
}

impl fmt::Display for ErrorOnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ErrorOnStep> for &'static str {
    fn from(scenario: ErrorOnStep) -> Self {
        scenario.as_str()
    }
}

impl TryFrom<String> for ErrorOnStep {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for ErrorOnStep {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|choice| choice.as_str() == text)
            .ok_or_else(Self::invalid)
    }
}

/// The wait after each status change: 0 to 3600 seconds, kept in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pace(u32);

impl Pace {
    /// The longest wait: an hour.
    pub const MAX: Self = Self(3_600_000);

    /// A wait of so many seconds, to the millisecond.
    ///
    /// # Errors
    /// When it is not a number from 0 to 3600.
    pub fn from_seconds(seconds: f64) -> Result<Self, InvalidField> {
        if !(0.0..=Self::MAX.duration().as_secs_f64()).contains(&seconds) {
            return Err(Self::beyond(Self::MAX));
        }
        // In range, so the cast neither truncates nor wraps.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let milliseconds = (seconds * 1000.0).round() as u32;
        Ok(Self(milliseconds))
    }

    /// Refuses a wait that is longer than `most`.
    ///
    /// # Errors
    /// When it is; the error names `most`.
    pub fn check_up_to(self, most: Self) -> Result<(), InvalidField> {
        if self.0 <= most.0 {
            return Ok(());
        }
        Err(Self::beyond(most))
    }

    /// The refusal of a wait that is not from 0 to `most`.
    #[must_use]
    pub fn beyond(most: Self) -> InvalidField {
        let most = most.duration().as_secs_f64();
        InvalidField::new(
            "perStepDelaySeconds",
            format!("must be a number from 0 to {most}"),
        )
    }

    /// The wait.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }

    /// Whether there is nothing to wait for.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// What the simulated outside parties do with one order. Real ones ignore it.
///
/// It travels with the order through the saga, which does not look at
/// [`Self::error_on_step`]: only the parties do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// The step that fails for good.
    pub error_on_step: ErrorOnStep,
    /// The wait after each status change.
    pub pace: Pace,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_scenario_is_read_from_its_number_and_from_its_name() {
        for (number, scenario) in (0..).zip(ErrorOnStep::SCENARIOS) {
            assert_eq!(ErrorOnStep::from_number(number), Ok(scenario));
            assert_eq!(scenario.as_str().parse(), Ok(scenario));
        }
        for bad in ["", "None", "notifyCustomer", "ALL", "1", "processpayment"] {
            assert!(bad.parse::<ErrorOnStep>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_other_number_is_a_scenario(number in ErrorOnStep::SCENARIOS.len() as u64..) {
            prop_assert!(ErrorOnStep::from_number(number).is_err());
        }

        #[test]
        fn a_pace_is_kept_to_the_millisecond(milliseconds in 0_u32..=3_600_000) {
            let pace = Pace::from_seconds(f64::from(milliseconds) / 1000.0).expect("in range");
            prop_assert_eq!(pace.duration(), Duration::from_millis(milliseconds.into()));
        }

        #[test]
        fn a_pace_out_of_range_is_refused(seconds in prop_oneof![-1e9..-1e-9, 3600.1..1e18]) {
            prop_assert!(Pace::from_seconds(seconds).is_err());
        }
    }

    #[test]
    fn a_pace_is_a_number() {
        assert!(Pace::from_seconds(f64::NAN).is_err());
        assert!(Pace::from_seconds(f64::INFINITY).is_err());
    }
}
