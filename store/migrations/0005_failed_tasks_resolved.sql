-- The tasks that are over, last first: what operators did lately.
CREATE INDEX failed_tasks_resolved ON failed_tasks (resolved_at_ms, task_id);
