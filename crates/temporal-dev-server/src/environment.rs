//! What a program that is run from here sees of our environment.

use std::{env, process::Command};

/// What every program may need. A name that ends with `_` stands for all that begin with it.
const ALWAYS: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "TERM",
    "NO_COLOR",
    "LANG",
    "LANGUAGE",
    "LC_",
    "XDG_",
    "SSL_CERT_",
    "LD_LIBRARY_PATH",
    // Where the shims of version managers look for the program itself.
    "ASDF_",
    "MISE_",
    "NIX_",
    "PYENV_",
];

/// The way out of this network, for programs that fetch.
pub const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// Takes every variable out of a command's environment but those that every program may need and
/// those in the lists of `needed`, where a name that ends with `_` stands for all that begin with
/// it: a password or a key that this process was given is nothing for the programs that it runs.
/// Variables that are set on the command afterwards are kept.
pub fn clear_environment(command: &mut Command, needed: &[&[&str]]) {
    command.env_clear();
    let is_kept =
        |name: &str| is_among(name, &ALWAYS) || needed.iter().any(|needed| is_among(name, needed));
    command.envs(env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
}

fn is_among(name: &str, known: &[&str]) -> bool {
    known
        .iter()
        .any(|known| name == *known || (known.ends_with('_') && name.starts_with(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_whole_or_by_its_beginning() {
        assert!(is_among("PATH", &ALWAYS) && is_among("LC_ALL", &ALWAYS));
        for other in ["PATHS", "HOMEBREW_TOKEN", "DATABASE_URL", "PIZZA_KEY", "LC"] {
            assert!(!is_among(other, &ALWAYS), "{other}");
        }
    }
}
