//! How a command ends.

use std::process::ExitCode;

/// What `--help` says of it.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  all went as wished
  1  an error: nothing was done, or not all of what was asked
  2  the command line is wrong; nothing was done
  3  some of it failed again, was skipped, or is not known to have ended";

/// How a command ended; of several ends the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// All as wished.
    AsWished,
    /// Something failed again, was skipped, or did not answer in time.
    Partly,
    /// An error.
    Failed,
    /// What was asked for makes no sense; nothing was done.
    Misused,
}

impl Ending {
    /// The process's exit code.
    pub(super) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }

    const fn code(self) -> u8 {
        match self {
            Self::AsWished => 0,
            Self::Failed => 1,
            Self::Misused => 2,
            Self::Partly => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_weighs_more_than_what_was_skipped() {
        assert_eq!(Ending::AsWished.max(Ending::Partly).code(), 3);
        assert_eq!(Ending::Partly.max(Ending::Failed).code(), 1);
        assert_eq!(Ending::AsWished.code(), 0);
        assert_eq!(Ending::Misused.code(), 2);
    }
}
