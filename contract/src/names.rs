//! Names of states, and numbers, as requests and answers hold them.

use std::borrow::Cow;

/// The name of a state, a size or a step. A text in answers, so that a client
/// can read what a later gateway has added; the schema lists those that this
/// version knows.
pub type Name = Cow<'static, str>;

/// An integer of a request: wider than what is allowed, so that one beyond the
/// limit is read, and refused with the limit.
pub type Integer = i128;

/// Declares names that answers hold: an enum, and the name of each variant.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        $(#[$meta])*
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl From<$name> for $crate::Name {
            fn from(name: $name) -> Self {
                name.as_str().into()
            }
        }
    };
}

pub(crate) use names;
