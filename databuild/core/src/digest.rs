//! Digests the core computes itself: SHA-256 where a digest is stored or compared across machines, and
//! 64-bit mixes where a million of them are kept in memory.
//!
//! Invariant: the functions here never change their results. Their values stand in event logs and
//! checkpoints; another function needs another name and a new format version.

use base16ct::lower;
use sha2::{Digest, Sha256};

/// Lower-case hex SHA-256 of `bytes`.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    lower::encode_string(&Sha256::digest(bytes))
}

/// A SHA-256 over a list of texts, each with its length before it, so that no two lists collide by
/// moving a boundary.
#[must_use]
pub fn sha256_of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    lower::encode_string(&hasher.finalize())
}

/// 64 bits of a text's SHA-256: how data versions and names are kept in memory. Two versions *of one
/// partition* are compared, never one against all, so a collision hides a change once in 2^64.
#[must_use]
pub fn hash64(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// Mixes one more word into a running value (the finalizer of splitmix64, Steele et al. 2014). Good
/// avalanche, a few nanoseconds; the inputs are ours, so it need not resist an adversary.
#[must_use]
pub fn mix(seed: u64, word: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ word;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_pinned_because_they_are_stored() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash64("abc"), u64::from_le_bytes([0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]));
        assert_eq!(mix(0, 0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn lists_do_not_collide_by_moving_a_boundary() {
        assert_ne!(sha256_of_texts(["ab", "c"]), sha256_of_texts(["a", "bc"]));
        assert_ne!(sha256_of_texts(["a"]), sha256_of_texts(["a", ""]));
    }
}
