//! The process's variables.

/// Makes an empty variable the same as one that is not set, for every role and
/// for the libraries that read variables themselves. Compose files and shells
/// leave a variable empty more easily than unset.
pub(crate) fn forget_empty_variables() {
    let variables = std::env::vars_os();
    for (name, _) in variables.filter(|(_, value)| value.is_empty()) {
        // SAFETY: this is the first that `main` does. There is no other
        // thread that could read variables meanwhile.
        #[allow(unsafe_code, reason = "libraries read the process's own variables")]
        unsafe {
            std::env::remove_var(name);
        }
    }
}
