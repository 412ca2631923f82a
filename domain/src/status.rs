//! Where an order stands: its status, its money, its points.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidField;

/// Gives an enum its wire names in both directions, from one list.
macro_rules! wire_names {
    ($type:ident, $field:literal, [$($variant:ident => $name:literal),+ $(,)?]) => {
        impl $type {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value's name on the wire and in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = InvalidField;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(InvalidField::new($field, concat!("must be one of", $(" ", $name),+))),
                }
            }
        }
    };
}

/// The status of an order. The numbers are the specification's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// 1: accepted, nothing done yet.
    Pending,
    /// 2: the payment provider is being asked.
    PaymentProcessing,
    /// 3: charged.
    PaymentComplete,
    /// 4: the kitchen accepted the order.
    CookingStarted,
    /// 5: cooked.
    CookingCompleted,
    /// 6: on its way.
    DeliveryStarted,
    /// 7: at the door. Final.
    DeliveryConfirmed,
    /// 8: the payment was declined; cancelled next.
    PaymentFailed,
    /// 9: not delivered. Final.
    Cancelled,
    /// 10: the rollback is under way; cancelled next.
    Refunding,
}

wire_names!(OrderStatus, "status", [
    Pending => "Pending",
    PaymentProcessing => "PaymentProcessing",
    PaymentComplete => "PaymentComplete",
    CookingStarted => "CookingStarted",
    CookingCompleted => "CookingCompleted",
    DeliveryStarted => "DeliveryStarted",
    DeliveryConfirmed => "DeliveryConfirmed",
    PaymentFailed => "PaymentFailed",
    Cancelled => "Cancelled",
    Refunding => "Refunding",
]);

impl OrderStatus {
    /// Whether no other status follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::DeliveryConfirmed | Self::Cancelled)
    }

    /// How far along an order of this status is. A status only ever gives way
    /// to one of a higher rank, which is what keeps an observer from seeing
    /// it go backwards; both final statuses have the highest.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::PaymentProcessing => 1,
            Self::PaymentComplete => 2,
            Self::CookingStarted => 3,
            Self::CookingCompleted => 4,
            Self::DeliveryStarted => 5,
            Self::PaymentFailed => 6,
            Self::Refunding => 7,
            Self::DeliveryConfirmed | Self::Cancelled => 8,
        }
    }

    /// Whether an observer may see `next` right after this status. A fast
    /// order may pass through a status unseen, so steps may be skipped, but
    /// never the other way.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::PaymentFailed | Self::Refunding, next) => matches!(next, Self::Cancelled),
            // Declined while it was being asked for, or not at all.
            (from, Self::PaymentFailed) => from.rank() <= Self::PaymentProcessing.rank(),
            // Only a charge is taken back, and a charge came with status 3 or
            // with the one before it, when its own write was overtaken.
            (from, Self::Refunding) => {
                Self::PaymentProcessing.rank() <= from.rank()
                    && from.rank() <= Self::DeliveryStarted.rank()
            }
            (from, next) => from.rank() < next.rank(),
        }
    }
}

/// What became of the money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MoneyState {
    /// Nothing was charged.
    #[default]
    NotCharged,
    /// Charged and kept.
    Charged,
    /// Charged and given back.
    Refunded,
    /// Charged; giving it back failed and waits in a failure queue.
    RefundParked,
}

wire_names!(MoneyState, "money", [
    NotCharged => "notCharged",
    Charged => "charged",
    Refunded => "refunded",
    RefundParked => "refundParked",
]);

impl MoneyState {
    /// How far along the money is. Like a status, it never goes back: a step
    /// that is run again says again what it did, not where the money is now.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::NotCharged => 0,
            Self::Charged => 1,
            Self::RefundParked => 2,
            Self::Refunded => 3,
        }
    }
}

/// What became of the points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PointsState {
    /// None were awarded.
    #[default]
    None,
    /// Awarded and kept.
    Awarded,
    /// Awarding failed and waits in a failure queue.
    Parked,
    /// Awarded and taken back.
    Reclaimed,
    /// Awarded; taking them back failed and waits in a failure queue.
    ReclaimParked,
}

wire_names!(PointsState, "points", [
    None => "none",
    Awarded => "awarded",
    Parked => "parked",
    Reclaimed => "reclaimed",
    ReclaimParked => "reclaimParked",
]);

impl PointsState {
    /// How far along the points are; see [`MoneyState::rank`].
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Parked => 1,
            Self::Awarded => 2,
            Self::ReclaimParked => 3,
            Self::Reclaimed => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OrderStatus::*;
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn the_specified_ways_are_legal() {
        let delivered = [
            Pending,
            PaymentProcessing,
            PaymentComplete,
            CookingStarted,
            CookingCompleted,
            DeliveryStarted,
            DeliveryConfirmed,
        ];
        let declined = [Pending, PaymentProcessing, PaymentFailed, Cancelled];
        let rolled_back = [
            Pending,
            PaymentProcessing,
            PaymentComplete,
            Refunding,
            Cancelled,
        ];
        for way in [&delivered[..], &declined[..], &rolled_back[..]] {
            for pair in way.windows(2) {
                assert!(pair[0].may_become(pair[1]), "{pair:?}");
            }
        }
        for from in &delivered[..6] {
            assert!(from.may_become(Cancelled), "{from}");
        }
    }

    #[test]
    fn a_declined_order_is_never_refunded_nor_a_charged_one_declined() {
        assert!(!PaymentFailed.may_become(Refunding));
        assert!(!PaymentComplete.may_become(PaymentFailed));
        assert!(!Refunding.may_become(DeliveryConfirmed));
        assert!(!Pending.may_become(Refunding));
    }

    fn any_status() -> impl Strategy<Value = OrderStatus> {
        select(OrderStatus::ALL)
    }

    proptest! {
        #[test]
        fn a_status_never_goes_backwards(way in prop::collection::vec(any_status(), 1..12)) {
            let mut current = Pending;
            for next in way {
                if current.may_become(next) {
                    prop_assert!(next.rank() > current.rank());
                    prop_assert!(!current.is_final());
                    current = next;
                }
            }
        }

        #[test]
        fn a_status_is_read_back_from_its_name(status in any_status()) {
            prop_assert_eq!(status.as_str().parse::<OrderStatus>(), Ok(status));
        }
    }

    #[test]
    fn json_and_store_use_the_same_names() {
        for status in OrderStatus::ALL {
            let json = serde_json::to_value(status).expect("JSON");
            assert_eq!(json, status.as_str());
        }
        for state in MoneyState::ALL {
            assert_eq!(serde_json::to_value(state).expect("JSON"), state.as_str());
        }
        for state in PointsState::ALL {
            assert_eq!(serde_json::to_value(state).expect("JSON"), state.as_str());
        }
    }
}
