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

/// Takes every variable out of a command's environment but those that every program may need and
/// those in `needed`, where a name that ends with `_` stands for all that begin with it: a
/// password or a key that this process was given is nothing for the programs that it runs.
/// Variables that are set on the command afterwards are kept.
pub fn clear_environment(command: &mut Command, needed: &[&str]) {
    command.env_clear();
    command.envs(env::vars_os().filter(|(name, _)| {
        name.to_str()
            .is_some_and(|name| is_among(name, &ALWAYS) || is_among(name, needed))
    }));
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
