//! Choices that follow from a text alone.
//!
//! Nothing is drawn: whoever chooses by the same seed and about the same thing
//! chooses the same, in whichever process, and however often it is restarted.

use sha2::{Digest, Sha256};

/// A number from 0 to 1, without 1, that follows from a text alone, and is as
/// good as any other.
pub(crate) fn fraction(text: &str) -> f64 {
    let digest = Sha256::digest(text);
    let bits = digest
        .iter()
        .take(6)
        .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    // 48 bits, which an f64 holds.
    bits as f64 / (1_u64 << 48) as f64
}
