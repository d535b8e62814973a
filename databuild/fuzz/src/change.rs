//! Changes of an input. Each is made of numbers that proptest chooses and makes smaller; positions wrap around.

use super::MOST_BYTES;
use proptest::collection::vec;
use proptest::prelude::*;

/// Most changes of one input.
const MOST_CHANGES: usize = 12;

/// A seed, and what is done to it.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    seed: usize,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    /// Other bits in one byte.
    Flip { at: usize, bits: u8 },
    /// Other bytes in the place of some.
    Put { at: usize, length: usize, bytes: Vec<u8> },
    /// A word of the format.
    Word { at: usize, over: bool, word: usize },
    /// A number at the edge of some type, as digits.
    Number { at: usize, length: usize, number: usize },
    /// Some bytes once more, or many times.
    Repeat { from: usize, length: usize, times: usize },
    /// A piece of a seed.
    Splice { at: usize, seed: usize, from: usize, length: usize },
    /// Nothing after this.
    Cut { at: usize },
}

/// Numbers that programs stumble over.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1e308",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0.5",
];

/// All changes of as many seeds, with as many words.
pub(crate) fn changes(seeds: usize, words: usize) -> impl Strategy<Value = Changes> {
    let place = || 0..MOST_BYTES;
    let bytes = prop_oneof![
        3 => vec(any::<u8>(), 0..4),
        // Texts of other alphabets, and what is no text.
        1 => Just("é".as_bytes().to_vec()),
        1 => Just("\u{202e}".as_bytes().to_vec()),
        1 => Just(vec![0xff, 0xc0]),
    ];
    let few = || 0..8usize;
    let change = prop_oneof![
        12 => (place(), any::<u8>()).prop_map(|(at, bits)| Change::Flip { at, bits }),
        12 => (place(), few(), bytes).prop_map(|(at, length, bytes)| Change::Put { at, length, bytes }),
        16 => (place(), any::<bool>(), 0..words.max(1)).prop_map(|(at, over, word)| Change::Word { at, over, word }),
        8 => (place(), few(), 0..NUMBERS.len()).prop_map(|(at, length, number)| Change::Number { at, length, number }),
        8 => (place(), 1..200usize, 1..3usize).prop_map(|(from, length, times)| Change::Repeat { from, length, times }),
        1 => (place(), 1..40usize, 1..5000usize).prop_map(|(from, length, times)| Change::Repeat { from, length, times }),
        12 => (place(), 0..seeds.max(1), place(), 1..100usize)
            .prop_map(|(at, seed, from, length)| Change::Splice { at, seed, from, length }),
        4 => place().prop_map(|at| Change::Cut { at }),
    ];
    (0..seeds.max(1), vec(change, 0..MOST_CHANGES)).prop_map(|(seed, changes)| Changes { seed, changes })
}

/// The input that changes make.
pub(crate) fn changed(changes: &Changes, seeds: &[&[u8]], words: &[&str]) -> Vec<u8> {
    let seed = |ix: usize| seeds.get(ix).copied().unwrap_or_default();
    let mut input = seed(changes.seed).to_vec();
    for change in &changes.changes {
        let size = input.len();
        let place = |at: usize| at % (size + 1);
        let piece = |at: usize, length: usize| place(at)..(place(at) + length).min(size);
        match change {
            Change::Flip { at, bits } => {
                if let Some(byte) = input.get_mut(place(*at)) {
                    *byte ^= bits;
                }
            }
            Change::Put { at, length, bytes } => {
                drop(input.splice(piece(*at, *length), bytes.iter().copied()))
            }
            Change::Word { at, over, word } => {
                let word = words.get(*word).copied().unwrap_or_default();
                let length = if *over { word.len() } else { 0 };
                input.splice(piece(*at, length), word.bytes());
            }
            Change::Number { at, length, number } => {
                input.splice(piece(*at, *length), NUMBERS[*number].bytes());
            }
            Change::Repeat { from, length, times } => {
                let range = piece(*from, *length);
                let more = input[range.clone()].repeat((*times).min(MOST_BYTES / range.len().max(1)));
                input.splice(range.start..range.start, more);
            }
            Change::Splice { at, seed: other, from, length } => {
                let other = seed(*other);
                let from = from % (other.len() + 1);
                let part = &other[from..(from + length).min(other.len())];
                input.splice(place(*at)..place(*at), part.iter().copied());
            }
            Change::Cut { at } => input.truncate(place(*at)),
        }
        input.truncate(MOST_BYTES);
    }
    input
}
