//! Starts, shows and stops bulk operations.

use temporalio_client::errors::WorkflowStartError;
use temporalio_client::{
    Client, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions,
};

use super::{Error, FailureQueues, Page};
use crate::bulk::{BulkProgress, BulkRequest, BulkStart, BulkWorkflow};
use crate::names::{bulk_of_workflow_id, bulk_workflow_id, workflow_type};

impl FailureQueues {
    /// Starts a bulk operation. One with this id that was started before is
    /// this one.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it was not taken.
    pub async fn start_bulk(&self, request: BulkRequest) -> Result<(), Error> {
        request.check()?;
        let options = WorkflowStartOptions::new(&self.task_queue, bulk_workflow_id(&request.id))
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            // Summaries are never encrypted: no names.
            .static_summary(format!("{:?} of many tasks", request.action))
            .rpc_options(self.rpc_options())
            .build();
        self.within(async {
            let start = BulkStart::New(request);
            let started = self
                .client
                .start_workflow(BulkWorkflow::run, start, options)
                .await;
            match started {
                // One that has ended is this one, too.
                Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// How far a bulk operation is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub async fn bulk(&self, id: &str) -> Result<BulkProgress, Error> {
        let handle = self.operation(id);
        let options = self.query_options();
        self.within(async { Ok(handle.query(BulkWorkflow::progress, (), options).await?) })
            .await
    }

    /// The ids of the bulk operations that run and of those that ended last,
    /// this many at most, by Temporal's list, which is a moment behind.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn latest_bulks(&self, most: u32) -> Result<Vec<String>, Error> {
        let query = format!(
            "WorkflowType = '{}' AND ExecutionStatus != 'ContinuedAsNew'",
            workflow_type::BULK
        );
        let page = Page {
            size: most,
            token: Vec::new(),
        };
        let listing = self.listing(query, page).await?;
        let executions = listing.executions.into_iter();
        Ok(executions
            .filter_map(|listed| {
                let workflow_id = listed.execution?.workflow_id;
                bulk_of_workflow_id(&workflow_id).map(str::to_owned)
            })
            .collect())
    }

    /// Stops a bulk operation after the page that is under way. One that has
    /// ended stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub async fn stop_bulk(&self, id: &str, principal: &str) -> Result<(), Error> {
        let handle = self.operation(id);
        let options = self.signal_options();
        let stopped = self.within(async {
            let principal = principal.to_owned();
            Ok(handle
                .signal(BulkWorkflow::stop, principal.into(), options)
                .await?)
        });
        match stopped.await {
            // Closed, or never there: looking tells.
            Err(Error::NotFound) => self.bulk(id).await.map(drop),
            result => result,
        }
    }

    fn operation(&self, id: &str) -> WorkflowHandle<Client, BulkWorkflow> {
        self.client.get_workflow_handle(bulk_workflow_id(id))
    }
}
