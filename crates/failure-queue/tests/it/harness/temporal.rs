//! The server of all tests, and connections to it.

use temporal_dev_server::{LocateOptions, throw_away};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use tokio::sync::OnceCell;
use url::Url;

/// What the queues need, and one subject.
pub(crate) const SEARCH_ATTRIBUTES: [(&str, &str); 6] = [
    ("FailureQueue", "Keyword"),
    ("FailureType", "Keyword"),
    ("FailureErrorCode", "Keyword"),
    ("FailureState", "Keyword"),
    ("FailureParkedAt", "Datetime"),
    ("OrderId", "Keyword"),
];

/// Where the server of all tests answers.
pub(crate) async fn shared_server() -> String {
    static ADDRESS: OnceCell<String> = OnceCell::const_new();
    let start = || async {
        let options = LocateOptions {
            quiet: true,
            ..LocateOptions::default()
        };
        throw_away(&options, &SEARCH_ATTRIBUTES).await.unwrap()
    };
    ADDRESS.get_or_init(start).await.clone()
}

pub(crate) async fn connect(address: &str) -> Client {
    let target = Url::parse(&format!("http://{address}")).unwrap();
    let options = ConnectionOptions::new(target)
        .identity("failure-queue-tests".to_owned())
        .build();
    let connection = Connection::connect(options).await.unwrap();
    Client::new(connection, ClientOptions::new("default").build()).unwrap()
}
