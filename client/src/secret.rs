//! A key as a client is given it.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The longest key, in bytes. One that `pizza operator-key` makes has 52.
pub const MAX_KEY: usize = 512;

/// A text that is never printed, in an error as little as anywhere else.
#[derive(Clone)]
pub struct Secret(String);

/// A key that can be none. The text does not repeat it.
#[derive(Debug, thiserror::Error)]
#[error("the {whose} key from {origin} is none: a key is printable ASCII without spaces")]
pub struct InvalidKey {
    whose: String,
    origin: String,
}

impl FromStr for Secret {
    type Err = Infallible;

    /// Takes any text: a complaint from the command line would repeat it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// The key itself, to be sent.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Refuses what no key can be. `whose` and `origin` say which key it is.
    ///
    /// # Errors
    /// When it is empty, too long, or no printable ASCII.
    pub fn check(&self, whose: &str, origin: &str) -> Result<(), InvalidKey> {
        let text = &self.0;
        let fits =
            !text.is_empty() && text.len() <= MAX_KEY && text.chars().all(|c| c.is_ascii_graphic());
        fits.then_some(()).ok_or_else(|| InvalidKey {
            whose: whose.to_owned(),
            origin: origin.to_owned(),
        })
    }
}
