//! Random changes of stored records.

use super::super::testing::example_records;
use super::{decode, encode, ConvertError};
use databuild_core::ids::GraphId;
use std::sync::Arc;

#[test]
fn stored_records_are_refused_with_reasons_or_come_back() {
    let content = |_: &GraphId| Ok::<Arc<str>, ConvertError>("{\"jobs\": []}".into());
    let seeds: Vec<Vec<u8>> = example_records().iter().map(encode).collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    // Lengths and numbers that a varint can have, and tags of groups, which proto3 lacks.
    let words =
        ["\u{0}", "\u{1}", "\u{7f}", "\u{8}\u{0}", "\u{b}", "\u{c}", "r12-1", "daily/date=2024-01-01"];
    databuild_fuzz::fuzz(&seeds, &words, |bytes| match decode(bytes, content) {
        Ok(record) => {
            assert!(record.event.number() >= 10);
            assert_eq!(decode(&encode(&record), content), Ok(record), "what is written of it");
        }
        Err(ConvertError::NewerFormat { what }) => assert!(!what.is_empty()),
        Err(ConvertError::Malformed { reason }) => assert!(!reason.is_empty()),
    });
}
