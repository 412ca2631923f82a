//! Free text from outside.

use std::fmt;
use std::str::FromStr;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::{Deserialize, Serialize};

use crate::InvalidField;

/// Whether a text shows nothing of its own: it has no letter, number,
/// punctuation mark or symbol that is drawn. Spaces, control and format
/// characters, marks without a letter to stand on, and what Unicode assigns to
/// nothing or leaves to private agreements are none.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    let shown = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    let category = CodePointMapData::<GeneralCategory>::new();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    !text.chars().any(|c| {
        shown.contains(category.get(c)) && !ignorable.contains(c) && !is_drawn_as_nothing(c)
    })
}

/// A text in Unicode's form NFC: the same text, however its letters were
/// composed.
#[must_use]
pub fn composed(text: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(text).into_owned()
}

/// What Unicode counts as a symbol or a letter, and fonts draw as nothing.
const fn is_drawn_as_nothing(c: char) -> bool {
    matches!(
        c,
        '\u{2800}' // braille pattern blank
        | '\u{13441}' // Egyptian full blank
        | '\u{13442}' // Egyptian half blank
        | '\u{1D159}' // musical null notehead
    )
}

/// What the customer wants on the pizza: any text of 1 to 64 characters
/// without control characters, at least one of them visible ([`is_blank`]),
/// trimmed.
///
/// Two are the same pizza when their [`Self::folded`] forms are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AsKept", into = "String")]
pub struct Flavour(String);

impl Flavour {
    /// The longest flavour, in characters (Unicode scalar values).
    pub const MAX_LENGTH: usize = 64;

    /// The flavour's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The flavour's text in the form in which requests are compared
    /// ([`composed`]).
    #[must_use]
    pub fn composed(&self) -> String {
        composed(&self.0)
    }

    /// A flavour that was accepted before, perhaps by a version that accepted
    /// more than this one.
    ///
    /// # Errors
    /// When no version accepted it.
    pub fn kept(text: String) -> Result<Self, InvalidField> {
        trimmed("flavour", &text, Self::MAX_LENGTH).map(Self)
    }

    /// The form in which flavours are compared: that of Unicode's
    /// `NFKC_Casefold`, which ignores case (`ß` is `SS`), composition, width,
    /// and what is drawn as nothing, the same for each language. Beyond it, an
    /// `i` is an `i` with a dot and without, since Turkish writes both in
    /// either case. Only for comparing: it depends on the version of Unicode.
    #[must_use]
    pub fn folded(&self) -> String {
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let decomposed = DecomposingNormalizer::new_nfd().normalize(&self.0);
        let visible: String = decomposed
            .chars()
            .filter(|c| !ignorable.contains(*c))
            .collect();
        // Folding may bring about what composes or folds further: twice is
        // enough.
        let folded = fold_once(&fold_once(&visible));
        let dotless = folded.replace("i\u{307}", "i").replace('ı', "i");
        dotless.trim().to_owned()
    }
}

fn fold_once(text: &str) -> String {
    let folded = CaseMapper::new().fold_string(text);
    ComposingNormalizer::new_nfkc()
        .normalize(&folded)
        .into_owned()
}

impl Default for Flavour {
    /// The flavour of an order that names none.
    fn default() -> Self {
        Self("plain".to_owned())
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Flavour> for String {
    fn from(flavour: Flavour) -> Self {
        flavour.0
    }
}

impl TryFrom<String> for Flavour {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        visible("flavour", text, Self::MAX_LENGTH).map(Self)
    }
}

impl TryFrom<AsKept> for Flavour {
    type Error = InvalidField;

    fn try_from(AsKept(text): AsKept) -> Result<Self, Self::Error> {
        Self::kept(text)
    }
}

impl FromStr for Flavour {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

/// Why the kitchen rejects an order, in its own words for the customer: 1 to
/// 200 characters without control characters, at least one of them visible,
/// trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AsKept", into = "String")]
pub struct Rejection(String);

impl Rejection {
    /// The longest reason, in characters (Unicode scalar values).
    pub const MAX_LENGTH: usize = 200;

    /// The reason's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The reason's text in the form in which reports are compared
    /// ([`composed`]).
    #[must_use]
    pub fn composed(&self) -> String {
        composed(&self.0)
    }

    /// A reason that was accepted before, perhaps by a version that accepted
    /// more than this one.
    ///
    /// # Errors
    /// When no version accepted it.
    pub fn kept(text: &str) -> Result<Self, InvalidField> {
        trimmed("reason", text, Self::MAX_LENGTH).map(Self)
    }
}

impl From<Rejection> for String {
    fn from(reason: Rejection) -> Self {
        reason.0
    }
}

impl TryFrom<String> for Rejection {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        visible("reason", text, Self::MAX_LENGTH).map(Self)
    }
}

impl TryFrom<AsKept> for Rejection {
    type Error = InvalidField;

    fn try_from(AsKept(text): AsKept) -> Result<Self, Self::Error> {
        Self::kept(&text)
    }
}

/// A text in a history: what was accepted once stays readable, whatever later
/// versions accept.
#[derive(Deserialize)]
struct AsKept(String);

/// A text from outside without what surrounds it, if what is left is allowed.
fn visible(field: &'static str, text: String, longest: usize) -> Result<String, InvalidField> {
    let trimmed = trimmed(field, &text, longest)?;
    if is_blank(&trimmed) {
        let expected = "must have a character that is visible, not only invisible ones";
        return Err(InvalidField::new(field, expected));
    }
    Ok(trimmed)
}

/// A text without what surrounds it, if what is left is allowed.
fn trimmed(field: &'static str, text: &str, longest: usize) -> Result<String, InvalidField> {
    let trimmed = text.trim();
    let length = trimmed.chars().count();
    if length == 0 || length > longest || trimmed.chars().any(char::is_control) {
        return Err(InvalidField::new(
            field,
            format!("must be 1 to {longest} characters without control characters"),
        ));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flavour_may_be_any_writing_but_not_controls() {
        for good in ["plain", "🍍🍕", "طعام", "<b>bold</b>", "  trimmed  "] {
            assert!(good.parse::<Flavour>().is_ok(), "{good}");
        }
        let long = "é".repeat(65);
        for bad in ["", "   ", "a\0b", "a\nb", long.as_str()] {
            assert_eq!(bad.parse::<Flavour>().expect_err(bad).field, "flavour");
        }
    }

    #[test]
    fn a_text_of_invisible_characters_alone_is_empty() {
        for invisible in [
            "\u{200B}",
            "\u{200D}\u{200C}",
            "\u{202E}\u{2066}",
            "\u{FEFF}",
            "\u{3164}",
            "\u{115F}",
            "\u{1160}",
            "\u{FFA0}",
            "\u{2800}",
            "\u{FE0F}",
            "\u{E0100}",
            "\u{E0041}",
            "\u{AD}",
            "\u{180E}",
            "\u{61C}",
            "\u{2060}",
            "\u{34F}",
            "\u{FFF9}",
            "\u{1D159}",
            "\u{206A}",
            "\u{13430}",
            "\u{16FE4}",
            // Marks alone, also on a space.
            "\u{301}",
            "\u{20DD}",
            "\u{903}",
            "\u{A0}\u{308}",
            "\u{200D}\u{301}\u{302}",
            // A format character that is drawn around numbers.
            "\u{601}",
            // Private use, not assigned, and never to be.
            "\u{E000}",
            "\u{F8FF}",
            "\u{100000}",
            "\u{378}",
            "\u{E01F0}",
            "\u{FFFF}",
            "\u{200B} \u{A0}\u{3000} \u{2800}",
        ] {
            assert!(is_blank(invisible), "{invisible:?}");
            let refused = invisible.parse::<Flavour>().expect_err(invisible);
            assert_eq!(refused.field, "flavour");
            let refused = Rejection::try_from(invisible.to_owned()).expect_err(invisible);
            assert_eq!(refused.field, "reason");
            // What an earlier version accepted is read all the same.
            let kept = serde_json::from_value::<Flavour>(invisible.into()).expect("kept");
            assert_eq!(kept.as_str(), invisible.trim());
        }
        for visible in [
            "a\u{200B}",
            "👨\u{200D}🍳",
            "❤\u{FE0F}",
            "a\u{301}",
            "e\u{20DD}",
            "\u{E000}1",
            "\u{915}\u{93F}",
            "\u{1F1EE}\u{1F1F9}",
            "\u{1F3FB}",
            "1\u{FE0F}\u{20E3}",
            "½",
            "ー",
            "€",
            "⠁",
            "☺",
            ".",
        ] {
            assert!(!is_blank(visible), "{visible:?}");
            let flavour: Flavour = visible.parse().expect(visible);
            assert_eq!(flavour.as_str(), visible, "kept as it was sent");
        }
    }

    #[test]
    fn a_text_is_the_same_however_its_letters_are_composed() {
        for (one, other) in [
            ("ananás", "anana\u{301}s"),
            ("\u{212B}", "A\u{30A}"),
            ("\u{1EAD}", "a\u{302}\u{323}"),
            ("한", "\u{1112}\u{1161}\u{11AB}"),
        ] {
            assert_eq!(composed(one), composed(other), "{one}");
        }
        for own in ["plain", "Ananás", "ﬁsh", "Ｐ", "🍍🍕", "a\u{200B}"] {
            assert_eq!(composed(own), own, "nothing else about it changes");
        }
    }

    #[test]
    fn a_flavour_is_compared_as_people_read_it() {
        let folded = |text: &str| text.parse::<Flavour>().expect(text).folded();
        for (one, other) in [
            ("Hawaiian", "hAWAIIAN"),
            ("Weißwurst", "WEISSWURST"),
            ("Weißwurst", "WEIẞWURST"),
            ("ANANÁS", "anana\u{301}s"),
            ("Ｐｉｎｅａｐｐｌｅ", "pineapple"),
            ("PİNEAPPLE", "pineapple"),
            ("pıneapple", "PINEAPPLE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁsh", "FISH"),
            ("pine\u{AD}apple\u{200B}", "pineapple"),
            ("quattro\u{A0}stagioni", "Quattro Stagioni"),
            ("Ǆ", "ǆ"),
            ("ᾳ\u{345}", "ΑΙΙ"),
            ("❤\u{FE0F}", "❤"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [
            ("pineapple", "pineapples"),
            ("ananas", "ananás"),
            ("a b", "ab"),
        ] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn a_folded_flavour_folds_to_itself(text in "\\PC{1,24}") {
            if let Ok(flavour) = text.parse::<Flavour>() {
                let folded = flavour.folded();
                // Folding may make it longer than a flavour may be.
                if let Ok(again) = Flavour::kept(folded.clone()) {
                    prop_assert_eq!(again.folded(), folded);
                }
            }
        }

        #[test]
        fn an_accepted_flavour_is_accepted_again_unchanged(text in ".{0,80}") {
            if let Ok(flavour) = text.parse::<Flavour>() {
                prop_assert_eq!(flavour.as_str().parse::<Flavour>().expect("the same"), flavour);
            }
        }
    }
}
