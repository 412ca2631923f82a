//! Errors as `application/problem+json` (RFC 9457).

use serde::{Deserialize, Serialize};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

use crate::Name;

/// An error.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Problem {
    /// The address of a page on errors of this code: an absolute one where the
    /// gateway knows its own, else one at the gateway, `/errors/` and the code.
    #[serde(default, rename = "type")]
    #[cfg_attr(
        feature = "schema",
        schema(
            format = "uri-reference",
            example = "/errors/out-of-range",
            required = true
        )
    )]
    pub kind: String,
    /// A few words for people, the same for each error of this code.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = String, required = true))]
    pub title: Name,
    /// The HTTP status.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 400, maximum = 599, required = true)
    )]
    pub status: u16,
    /// What went wrong this time, for people.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub detail: String,
    /// The path that was asked for.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub instance: String,
    /// The stable code, for programs.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "out-of-range"))]
    pub code: Name,
    /// What the request is called in the gateway's logs.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub request_id: String,
    /// The field that is meant, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub field: Option<String>,
    /// Where the order stands that a refused report was about, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, nullable = false))]
    pub order_status: Option<Name>,
}
