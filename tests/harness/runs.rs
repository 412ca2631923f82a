//! The workflows of a world, as Temporal has them, without a process for each
//! question.

use futures::TryStreamExt;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowExecution, WorkflowExecutionInfo,
    WorkflowFetchHistoryOptions, WorkflowListOptions,
};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use url::Url;

use super::World;

/// A client of a world's namespace.
pub(crate) struct Runs {
    client: Client,
}

impl Runs {
    /// Those of this world.
    pub(crate) async fn of(world: &World) -> Self {
        let target = Url::parse(&format!("http://{}", world.temporal())).expect("an address");
        let options = ConnectionOptions::new(target).build();
        let connection = Connection::connect(options).await.expect("a connection");
        let options = ClientOptions::new(world.namespace()).build();
        let client = Client::new(connection, options).expect("a client");
        Self { client }
    }

    /// The runs that match a query.
    pub(crate) async fn list(&self, query: &str) -> Vec<WorkflowExecution> {
        let list = self
            .client
            .list_workflows(query, WorkflowListOptions::default());
        list.try_collect().await.expect("a list")
    }

    /// The events of all of them.
    pub(crate) async fn events(&self) -> Vec<HistoryEvent> {
        let mut events = Vec::new();
        for run in self.list("StartTime > '2000-01-01T00:00:00Z'").await {
            let info = WorkflowExecutionInfo::builder()
                .namespace(self.client.options().namespace.clone())
                .workflow_id(run.id())
                .run_id(run.run_id())
                .build();
            let history = info
                .bind_untyped(self.client.clone())
                .fetch_history(WorkflowFetchHistoryOptions::default());
            events.extend(history.into_events().await.expect("a history"));
        }
        events
    }
}
