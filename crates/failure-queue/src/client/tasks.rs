//! Lists, counts and shows tasks.

use temporalio_client::{Client, WorkflowExecutionStatus, WorkflowHandle};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest, ListWorkflowExecutionsResponse,
};
use tokio::time::sleep;
use tonic::{Code, IntoRequest, Status};

use super::{ASK_AGAIN, Error, FailureQueues, Page, TaskFilter, TaskPage, visibility};
use crate::failed_task::FailedTaskWorkflow;
use crate::names::workflow_type;
use crate::task::TaskView;

impl FailureQueues {
    /// A page of the tasks that a filter lets through.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] when the page's token is not one of this list;
    /// others when Temporal is away.
    pub async fn list(&self, filter: &TaskFilter, page: Page) -> Result<TaskPage, Error> {
        filter.tasks.check()?;
        let has_token = !page.token.is_empty();
        let listing = self
            .listing(visibility::query(filter, &self.spellings), page)
            .await;
        let listing = listing.map_err(|error| match error {
            // A token that Temporal did not make: it does not always say so.
            Error::Unavailable(status) if has_token && status.code() == Code::Unknown => {
                Error::InvalidToken
            }
            Error::Unexpected(source) if has_token && is_invalid_argument(&*source) => {
                Error::InvalidToken
            }
            error => error,
        })?;
        Ok(TaskPage {
            tasks: listing
                .executions
                .into_iter()
                .filter_map(visibility::listed)
                .collect(),
            next: listing.next_page_token,
        })
    }

    /// How many tasks a filter lets through.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn count(&self, filter: &TaskFilter) -> Result<u64, Error> {
        filter.tasks.check()?;
        self.counted(visibility::query(filter, &self.spellings))
            .await
    }

    /// A task, open or closed, with its audit trail.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id, or not any more.
    pub async fn show(&self, id: &str) -> Result<TaskView, Error> {
        self.within(async {
            let task = self.task(id);
            self.is_task(id).await?;
            let options = self.query_options();
            Ok(task.query(FailedTaskWorkflow::task, (), options).await?)
        })
        .await
    }

    /// Fails unless the workflow with this id is a parked task: no other may
    /// be reached through here.
    pub(super) async fn is_task(&self, id: &str) -> Result<WorkflowExecutionStatus, Error> {
        let options = self.describe_options();
        let description = self.task(id).describe(options).await?;
        if description.workflow_type() == workflow_type::FAILED_TASK {
            Ok(description.status())
        } else {
            Err(Error::NotFound)
        }
    }

    pub(super) fn task(&self, id: &str) -> WorkflowHandle<Client, FailedTaskWorkflow> {
        self.client.get_workflow_handle(id)
    }

    pub(super) async fn counted(&self, query: String) -> Result<u64, Error> {
        self.within(async {
            loop {
                match self.count_once(query.clone()).await {
                    Err(status) if is_over_rate(&status) => sleep(ASK_AGAIN).await,
                    result => return Ok(result?),
                }
            }
        })
        .await
    }

    async fn count_once(&self, query: String) -> Result<u64, Status> {
        let mut request = CountWorkflowExecutionsRequest {
            namespace: self.client.options().namespace.clone(),
            query,
        }
        .into_request();
        request.set_timeout(self.limit);
        let mut service = self.client.connection().workflow_service();
        let answer = service.count_workflow_executions(request).await?;
        Ok(u64::try_from(answer.into_inner().count).unwrap_or_default())
    }

    pub(super) async fn listing(
        &self,
        query: String,
        page: Page,
    ) -> Result<ListWorkflowExecutionsResponse, Error> {
        self.within(async {
            loop {
                match self.list_once(query.clone(), page.clone()).await {
                    Err(status) if is_over_rate(&status) => sleep(ASK_AGAIN).await,
                    result => return Ok(result?),
                }
            }
        })
        .await
    }

    async fn list_once(
        &self,
        query: String,
        page: Page,
    ) -> Result<ListWorkflowExecutionsResponse, Status> {
        let mut request = ListWorkflowExecutionsRequest {
            namespace: self.client.options().namespace.clone(),
            page_size: i32::try_from(page.size).unwrap_or(i32::MAX),
            next_page_token: page.token,
            query,
        }
        .into_request();
        request.set_timeout(self.limit);
        let mut service = self.client.connection().workflow_service();
        let listing = service.list_workflow_executions(request).await?;
        Ok(listing.into_inner())
    }
}

/// Whether a list or count came too soon: a namespace has a rate for them,
/// which is lower than that of other calls.
fn is_over_rate(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted
}

fn is_invalid_argument(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let status = error.downcast_ref::<tonic::Status>();
    status.is_some_and(|status| status.code() == Code::InvalidArgument)
}
