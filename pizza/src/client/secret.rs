//! A key as a client is given it.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use anyhow::bail;

use crate::secret_file;

/// The longest key, in bytes. One that `pizza operator-key` makes has 52.
const MAX_KEY: usize = 512;

/// A text that is never printed, in an error as little as anywhere else.
#[derive(Clone)]
pub(crate) struct Secret(String);

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
    /// The key that stands alone in a file which a person has named.
    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        let text = secret_file::read(file, MAX_KEY)?;
        Ok(Self(text.trim().to_owned()))
    }

    /// The key that stands alone in a file which `pizza dev` has made.
    pub(crate) fn read_own(file: &Path) -> io::Result<Self> {
        let text = secret_file::read_own(file, MAX_KEY)?;
        Ok(Self(text.trim().to_owned()))
    }

    /// The key itself, to be sent.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Refuses what no key can be, without repeating it. `whose` and `source`
    /// say which key it is.
    pub(crate) fn check(&self, whose: &str, source: &str) -> anyhow::Result<()> {
        let text = &self.0;
        let fits =
            !text.is_empty() && text.len() <= MAX_KEY && text.chars().all(|c| c.is_ascii_graphic());
        if !fits {
            bail!("the {whose} key from {source} is none: a key is printable ASCII without spaces");
        }
        Ok(())
    }
}
