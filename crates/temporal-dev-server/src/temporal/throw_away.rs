//! A dev server for tests.

use std::{future::pending, io, net::Ipv4Addr, thread};

use tempfile::TempDir;
use tokio::{runtime, sync::oneshot};

use super::{
    cli::{LocateError, LocateOptions, locate},
    server::{DevServer, DevServerConfig, DevServerError},
};

/// Why a test has no dev server.
#[derive(Debug, thiserror::Error)]
pub enum ThrowAwayError {
    /// There is no Temporal CLI.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The dev server does not run.
    #[error(transparent)]
    Start(#[from] DevServerError),
    /// The system has no temporary folder or no thread for it.
    #[error("the dev server's thread or folder cannot be made")]
    System(#[from] io::Error),
}

/// Starts a dev server for tests, in memory and on a free port of this machine, and returns its
/// address as `host:port`.
///
/// It lives as long as this process, whichever way that ends, and leaves nothing behind but,
/// where it did not start, its log. It has a thread of its own: each test has its own runtime,
/// and a server that one of them started has to outlive that one for the others.
///
/// The `search_attributes` are names and types (`Keyword`, `Int`, ...), registered in the
/// namespace `default`.
///
/// # Errors
/// [`ThrowAwayError`]; then no process is left.
pub async fn throw_away(
    options: &LocateOptions,
    search_attributes: &[(&str, &str)],
) -> Result<String, ThrowAwayError> {
    let folder = tempfile::tempdir()?;
    let config = DevServerConfig {
        cli: locate(options).await?.path,
        database: None,
        ip: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        ui_port: None,
        search_attributes: search_attributes
            .iter()
            .map(|&(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect(),
        log_file: folder.path().join("temporal.log"),
        names: options.names,
    };
    let (tell, started) = oneshot::channel();
    thread::Builder::new()
        .name("temporal-dev-server".to_owned())
        .spawn(move || run(config, folder, tell))?;
    let ended = |_| io::Error::other("the thread has ended");
    started.await.map_err(ended)?
}

/// Runs the server until the process ends, at which its guard ends it.
fn run(
    config: DevServerConfig,
    folder: TempDir,
    tell: oneshot::Sender<Result<String, ThrowAwayError>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = tell.send(Err(error.into()));
            return;
        }
    };
    runtime.block_on(async {
        match DevServer::start(config).await {
            Ok(server) => {
                // At the process's end nobody would remove it. The server writes on, to a log
                // without a name.
                drop(folder);
                let _ = tell.send(Ok(server.address()));
                pending().await
            }
            Err(error) => {
                // The error names the log in it.
                let _ = folder.keep();
                let _ = tell.send(Err(error.into()));
            }
        }
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use temporalio_client::{Connection, ConnectionOptions, tonic::Request};
    use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
    use tokio::runtime::Runtime;
    use url::Url;

    use super::*;

    fn quiet() -> LocateOptions {
        LocateOptions {
            quiet: true,
            ..LocateOptions::default()
        }
    }

    async fn search_attributes(address: &str) -> Vec<String> {
        let target = Url::parse(&format!("http://{address}")).unwrap();
        let options = ConnectionOptions::new(target).build();
        let connection = Connection::connect(options).await.unwrap();
        let request = ListSearchAttributesRequest {
            namespace: "default".to_owned(),
        };
        let mut service = connection.operator_service();
        let answer = service.list_search_attributes(Request::new(request)).await;
        let attributes = answer.unwrap().into_inner().custom_attributes;
        attributes.into_keys().collect()
    }

    #[test]
    fn the_server_outlives_the_runtime_of_the_test_that_started_it() {
        let first = Runtime::new().unwrap();
        let attributes = [("OrderId", "Keyword")];
        let address = first.block_on(throw_away(&quiet(), &attributes)).unwrap();
        drop(first);
        let second = Runtime::new().unwrap();
        let names = second.block_on(search_attributes(&address));
        assert!(names.iter().any(|name| name == "OrderId"), "{names:?}");
    }

    #[tokio::test]
    async fn a_start_that_fails_says_why_and_keeps_the_log() {
        let start = throw_away(&quiet(), &[("OrderId", "Dough")]).await;
        let error = start.unwrap_err();
        let ThrowAwayError::Start(DevServerError::Exited { tail, log_file, .. }) = error else {
            panic!("{error}");
        };
        assert!(tail.contains("Dough"), "{tail}");
        assert!(log_file.exists());
        std::fs::remove_dir_all(log_file.parent().unwrap()).unwrap();
    }
}
