-- Every step that failed for good and was parked in its failure queue: what
-- it owes stays in the accounts when its workflow has long been forgotten.
CREATE TABLE failed_tasks (
    -- The id of its workflow.
    task_id TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    message_type TEXT NOT NULL,
    -- 'parked', 'done' or 'discarded'.
    state TEXT NOT NULL,
    parked_at_ms BIGINT NOT NULL,
    -- Since when it is done or discarded, by whom, and why.
    resolved_at_ms BIGINT,
    resolved_by TEXT,
    reason TEXT
);

CREATE INDEX failed_tasks_order ON failed_tasks (order_id);

-- Since when the oldest of a queue waits.
CREATE INDEX failed_tasks_waiting ON failed_tasks (state, queue, parked_at_ms);

-- What was parked before there was this table. The record of an order says it
-- of money and points; it never said it of a customer who was not told.
INSERT INTO failed_tasks
    (task_id, order_id, customer_id, queue, message_type, state, parked_at_ms)
SELECT 'failed-refund-payment-' || order_id, order_id, customer_id,
    'refund-payment', 'RefundPaymentFailed', 'parked', updated_at_ms
FROM orders WHERE money = 'refundParked';

INSERT INTO failed_tasks
    (task_id, order_id, customer_id, queue, message_type, state, parked_at_ms)
SELECT 'failed-add-loyalty-points-' || order_id, order_id, customer_id,
    'add-loyalty-points', 'AddLoyaltyPointsFailed', 'parked', updated_at_ms
FROM orders WHERE points = 'parked';

INSERT INTO failed_tasks
    (task_id, order_id, customer_id, queue, message_type, state, parked_at_ms)
SELECT 'failed-remove-loyalty-points-' || order_id, order_id, customer_id,
    'remove-loyalty-points', 'RemoveLoyaltyPointsFailed', 'parked', updated_at_ms
FROM orders WHERE points = 'reclaimParked';
