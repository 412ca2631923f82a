//! Which tasks a page is about.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pizza_app::FailureFilter;
use pizza_contract::ErrorCode;
use pizza_contract::reading::integer_in;
use pizza_workflows::steps::Parked;

use super::frame::encoded;
use crate::problem::Problem;

/// The fields, and what people call them.
const FIELDS: [(&str, &str); 7] = [
    ("queue", "queue"),
    ("messageType", "message type"),
    ("errorCode", "error code"),
    ("orderId", "order"),
    ("customerId", "customer"),
    ("olderThanSeconds", "seconds parked, more than"),
    ("newerThanSeconds", "seconds parked, less than"),
];

/// The filter as it was typed, not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed(BTreeMap<&'static str, String>);

impl Typed {
    pub(super) fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Self {
        let given = FIELDS.iter().filter_map(|(name, _)| {
            let text = text(name).map(str::trim).filter(|text| !text.is_empty());
            Some((*name, text?.to_owned()))
        });
        Self(given.collect())
    }

    /// Whether every task is meant.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    fn owned(&self, field: &str) -> Option<String> {
        self.0.get(field).cloned()
    }

    fn seconds(&self, field: &str) -> Result<Option<i128>, Problem> {
        let read = |text: &str| {
            integer_in(text).ok_or_else(|| {
                let detail = "must be a whole number of seconds";
                Problem::new(ErrorCode::InvalidType, detail).field(field)
            })
        };
        self.get(field).map(read).transpose()
    }

    /// The filter, for those who check it.
    pub(super) fn filter(&self) -> Result<FailureFilter, Problem> {
        Ok(FailureFilter {
            queue: self.owned("queue"),
            message_type: self.owned("messageType"),
            error_code: self.owned("errorCode"),
            older_than_seconds: self.seconds("olderThanSeconds")?,
            newer_than_seconds: self.seconds("newerThanSeconds")?,
            order_id: self.owned("orderId"),
            customer_id: self.owned("customerId"),
        })
    }

    /// The filter in an address, with more fields behind it.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let own = self.0.iter().map(|(name, text)| (*name, text.as_str()));
        let fields: Vec<_> = own.chain(more.iter().copied()).collect();
        encoded(&fields)
    }

    /// The filter in a form that is about the same tasks.
    pub(super) fn hidden(&self) -> Markup {
        html! {
            @for (name, text) in &self.0 {
                input type="hidden" name=(name) value=(text);
            }
        }
    }

    /// The filter in words.
    pub(super) fn words(&self) -> Markup {
        let given = FIELDS
            .iter()
            .filter_map(|(name, words)| Some((words, self.get(name)?)));
        html! {
            @if self.is_empty() { "every parked task" } @else {
                "parked tasks with "
                @for (at, (words, text)) in given.enumerate() {
                    @if at > 0 { ", " }
                    (words) " " strong { bdi { (text) } }
                }
            }
        }
    }

    /// The filter's fields, to be changed. `wrong` is the one that was not
    /// taken.
    pub(super) fn fields(&self, wrong: Option<&str>) -> Markup {
        let queues = Parked::ALL.map(|it| (it.queue, it.heading));
        let types = Parked::ALL.map(|it| (it.message_type, it.message_type));
        let rare = ["messageType", "olderThanSeconds", "newerThanSeconds"];
        let rare = rare
            .iter()
            .any(|name| self.get(name).is_some() || wrong == Some(name));
        html! {
            (self.choice("queue", "Queue", &queues))
            (self.input("errorCode", "Error code", "text", wrong))
            (self.input("orderId", "Order", "text", wrong))
            (self.input("customerId", "Customer", "text", wrong))
            details #more open[rare] {
                summary { "More" }
                (self.choice("messageType", "Message type", &types))
                (self.input("olderThanSeconds", "Parked for more than (s)", "number", wrong))
                (self.input("newerThanSeconds", "Parked for less than (s)", "number", wrong))
            }
        }
    }

    fn choice(&self, name: &str, label: &str, choices: &[(&str, &str)]) -> Markup {
        let chosen = self.get(name);
        html! {
            div {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    option value="" { "all" }
                    @for (value, words) in choices {
                        option value=(value) selected[chosen == Some(value)] { (words) }
                    }
                }
            }
        }
    }

    fn input(&self, name: &str, label: &str, kind: &str, wrong: Option<&str>) -> Markup {
        let is_wrong = wrong == Some(name);
        html! {
            div {
                label for=(name) { (label) }
                input id=(name) name=(name) type=(kind) value=[self.get(name)] autocomplete="off"
                    aria-invalid=[is_wrong.then_some("true")]
                    aria-describedby=[is_wrong.then_some("wrong")];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(fields: &[(&str, &'static str)]) -> Typed {
        Typed::read(|name| {
            let found = fields.iter().find(|(field, _)| *field == name);
            found.map(|(_, text)| *text)
        })
    }

    #[test]
    fn what_is_left_empty_is_not_asked_for() {
        assert!(typed(&[("queue", ""), ("orderId", "  ")]).is_empty());
        let filter = typed(&[("queue", " refund-payment "), ("olderThanSeconds", "60")]);
        assert_eq!(
            filter.query(&[("state", "open")]),
            "olderThanSeconds=60&queue=refund-payment&state=open"
        );
        let filter = filter.filter().expect("a filter");
        assert_eq!(filter.queue.as_deref(), Some("refund-payment"));
        assert_eq!(filter.older_than_seconds, Some(60));
        assert_eq!(filter.order_id, None);
    }

    #[test]
    fn an_age_is_a_number() {
        let refused = typed(&[("newerThanSeconds", "soon")]).filter();
        let field = refused.expect_err("no number").field;
        assert_eq!(field.as_deref(), Some("newerThanSeconds"));
    }

    #[test]
    fn a_filter_is_told_as_text() {
        let markup = typed(&[("errorCode", "<b>")]).words().into_string();
        assert!(markup.contains("&lt;b&gt;"), "{markup}");
        assert!(!markup.contains("<b>"), "{markup}");
        assert_eq!(typed(&[]).words().into_string(), "every parked task");
    }
}
