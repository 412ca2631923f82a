//! When to stop.

use tokio_util::sync::CancellationToken;

use crate::streams;

/// A token that is cancelled by the first Ctrl-C or SIGTERM. A second one
/// ends the process at once, for an operator who will not wait.
pub(crate) fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        signal().await;
        streams::stop_soon();
        tracing::info!("stopping; once more to stop at once");
        cancelled.cancel();
        signal().await;
        std::process::exit(130);
    });
    token
}

async fn signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // Without a handler there is nothing to wait for but the end.
    if interrupted.await.is_err() {
        std::future::pending::<()>().await;
    }
}
