-- What happens to an order while it lives. Only additions: processes of the
-- version before go on beside those of this one.

-- Who asked for what under which key. A row lives as long as the orders that
-- it names.
CREATE TABLE idempotency_keys (
    customer_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- SHA-256 of what was asked for, in hexadecimal digits.
    fingerprint TEXT NOT NULL,
    -- The ids of the orders, with spaces between them, in their order.
    order_ids TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (customer_id, idempotency_key)
);

-- Lists, newest first.
CREATE INDEX orders_placed ON orders (placed_at_ms, order_id);
CREATE INDEX orders_customer ON orders (customer_id, placed_at_ms, order_id);
CREATE INDEX orders_status ON orders (status, placed_at_ms, order_id);
CREATE INDEX orders_flavour ON orders (LOWER(flavour), placed_at_ms, order_id);
CREATE INDEX orders_cancel_step ON orders (cancel_step, order_id);

-- Orders without an end, the longest unchanged first: what is held against
-- Temporal now and then. Few of all that there are.
CREATE INDEX orders_open ON orders (updated_at_ms, order_id)
    WHERE status NOT IN ('DeliveryConfirmed', 'Cancelled');

-- A change also says what the order was at that version. Empty in changes of
-- before, whose orders could not be amended.
ALTER TABLE order_changes ADD COLUMN flavour TEXT;
ALTER TABLE order_changes ADD COLUMN size TEXT;
ALTER TABLE order_changes ADD COLUMN quantity BIGINT;
ALTER TABLE order_changes ADD COLUMN total BIGINT;
ALTER TABLE order_changes ADD COLUMN discount_percent BIGINT;

-- What changed lately, for those who watch.
CREATE INDEX order_changes_time ON order_changes (changed_at_ms, order_id, version);

-- What the customer changed about an order. `amendment` counts from 1.
CREATE TABLE amendments (
    order_id TEXT NOT NULL,
    amendment BIGINT NOT NULL,
    flavour TEXT NOT NULL,
    size TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    -- What is to be paid from then on.
    total BIGINT NOT NULL,
    amended_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, amendment)
);

-- The payment provider's books, continued: what an amendment moved. 'charge'
-- is the difference to a higher price, 'refund' that to a lower one, 'void'
-- keeps the amendment from ever moving money (any more): where it stands
-- beside another entry, that entry was taken back.
CREATE TABLE payment_adjustments (
    order_id TEXT NOT NULL,
    amendment BIGINT NOT NULL,
    kind TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    booked_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, amendment, kind)
);

-- The loyalty programme's books, continued: 'adjust', with the points more or
-- less, and 'void', as above.
CREATE TABLE loyalty_adjustments (
    order_id TEXT NOT NULL,
    amendment BIGINT NOT NULL,
    kind TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    points BIGINT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    booked_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, amendment, kind)
);

-- The kitchen's reports that were taken.
CREATE TABLE kitchen_reports (
    order_id TEXT NOT NULL,
    event TEXT NOT NULL,
    report_id TEXT,
    reason TEXT,
    taken_at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, event)
);

-- Until when the stage that a ticket is at has to end. Empty in tickets that
-- were handed over before there were stages.
ALTER TABLE kitchen_tickets ADD COLUMN due_at_ms BIGINT;
-- 1 when a simulated kitchen is not to report on it. It keeps no books of its
-- own any more: `next_report_at_ms` stays empty from here on.
ALTER TABLE kitchen_tickets ADD COLUMN silent BIGINT NOT NULL DEFAULT 0;

-- The tickets that are worked on, the most urgent first.
CREATE INDEX kitchen_tickets_open ON kitchen_tickets (stage, due_at_ms, order_id);

-- How simulated kitchens behave: one row, which is there once it was changed.
CREATE TABLE kitchen_simulation (
    id BIGINT PRIMARY KEY,
    paused BIGINT NOT NULL,
    delay_ms BIGINT NOT NULL,
    -- Probabilities in millionths.
    lose_ppm BIGINT NOT NULL,
    repeat_ppm BIGINT NOT NULL,
    reorder_ppm BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    changed_at_ms BIGINT NOT NULL
);
