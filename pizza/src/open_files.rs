//! How many files a process may have open, connections among them.

/// What a gateway has open besides its clients' connections: the store's
/// files, the way to Temporal, its log.
const OTHERS: u64 = 128;

/// As many of `wished` connections as this process may have open. The soft
/// limit, which many systems set low for the sake of old programs, is raised
/// to what the hard one allows: clients that find no place wait, but a store
/// that cannot open its file fails.
pub(crate) fn connections(wished: usize) -> usize {
    let needed = u64::try_from(wished).unwrap_or(u64::MAX) + OTHERS;
    let Some(allowed) = raised(needed) else {
        return wished;
    };
    let possible = usize::try_from(allowed.saturating_sub(OTHERS).max(1)).unwrap_or(wished);
    if possible < wished {
        tracing::warn!(
            connections = possible,
            wished,
            open_files = allowed,
            "this process may open too few files for all connections; raise its limit (ulimit -n)"
        );
    }
    possible.min(wished)
}

/// Raises the limit towards `needed` and says what it is now; none where
/// there is none.
#[cfg(unix)]
fn raised(needed: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    if current >= needed {
        return Some(current);
    }
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    Some(setrlimit(Resource::Nofile, raised).map_or(current, |()| wanted))
}

/// Elsewhere there is none to raise.
#[cfg(not(unix))]
const fn raised(_needed: u64) -> Option<u64> {
    None
}
