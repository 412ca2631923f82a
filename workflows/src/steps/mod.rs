//! The steps that the saga may take: declared here, carried out by the
//! `pizza-activities` crate, in files of the same names.
//!
//! Each declaration is the step's contract. Its body is never called.

pub mod branches;
pub mod customers;
mod derived;
pub mod kitchen;
pub mod loyalty;
pub mod orders;
pub mod payments;
pub mod reconciliation;
pub mod spec;

use pizza_domain::Step;

pub use branches::{BranchSteps, FulfilmentJoin, FulfilmentState, WhileRunning};
pub use customers::{CustomerSteps, Notification};
pub use derived::ExpectedEnd;
pub use kitchen::{KitchenSteps, Prepared, RecordedReport, Ticket};
pub use loyalty::{LoyaltySteps, Points, PointsAdjustment};
pub use orders::{
    AmendmentNotTaken, Amendments, Cancellation, DeliveryReport, EarlierRun, OrderSteps,
    RecordedAmendment, StatusChange,
};
pub use payments::{Payment, PaymentAdjustment, PaymentSteps};
pub use reconciliation::{
    Place, ReconciledPage, ReconciliationCounts, ReconciliationPage, ReconciliationPart,
    ReconciliationSteps,
};
pub use spec::{Parked, Part, StepSpec};

/// Every step, in the order in which an order meets them.
pub const STEPS: [&StepSpec; Step::ALL.len()] = [
    &orders::CREATE_ORDER,
    &payments::PROCESS_PAYMENT,
    &loyalty::ADD_LOYALTY_POINTS,
    &kitchen::PREPARE_ORDER,
    &kitchen::PROCESS_ORDER,
    &payments::REFUND_PAYMENT,
    &loyalty::RECLAIM_LOYALTY_POINTS,
    &customers::NOTIFY_CUSTOMER,
];
