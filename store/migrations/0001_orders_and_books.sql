-- The read model of orders, and the books of the simulated parties.
-- Plain SQL that SQLite and PostgreSQL both take. Times are milliseconds
-- since the Unix epoch, amounts are minor units of the shop's currency.

CREATE TABLE orders (
    order_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL,
    flavour TEXT NOT NULL,
    size TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    total BIGINT NOT NULL,
    discount_percent BIGINT NOT NULL,
    status TEXT NOT NULL,
    money TEXT NOT NULL,
    points TEXT NOT NULL,
    cancel_step TEXT,
    cancel_code TEXT,
    cancel_message TEXT,
    -- Grows by one with each change, and never shrinks.
    version BIGINT NOT NULL,
    placed_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);

-- Each change of an order, in its order: what an observer could have seen.
CREATE TABLE order_changes (
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    money TEXT NOT NULL,
    points TEXT NOT NULL,
    changed_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- The payment provider's books. One entry of a kind for each order: 'charge',
-- 'refund', or 'void', which keeps a charge from ever happening.
CREATE TABLE payments (
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    booked_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, kind)
);

-- The loyalty programme's books. One entry of a kind for each order: 'award'
-- or 'reclaim'.
CREATE TABLE loyalty_points (
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    points BIGINT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    booked_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, kind)
);

-- The kitchen's tickets. `next_report_at_ms` is when the simulated kitchen
-- may report again, and is empty when it has nothing to say.
CREATE TABLE kitchen_tickets (
    order_id TEXT PRIMARY KEY,
    flavour TEXT NOT NULL,
    size TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    -- 'received', 'cooked', 'pickedUp', 'delivered' or 'withdrawn'.
    stage TEXT NOT NULL,
    pace_ms BIGINT NOT NULL,
    next_report_at_ms BIGINT,
    received_at_ms BIGINT NOT NULL
);

CREATE INDEX kitchen_tickets_due ON kitchen_tickets (next_report_at_ms);

-- What customers were told.
CREATE TABLE notifications (
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    message TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    sent_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, kind)
);
