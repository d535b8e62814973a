//! Answers of a size that an assistant can read: at most [`MOST`] bytes as they are sent.
//!
//! A list has as many rows as fit, and a cursor. What has no rows is cut: long texts first at their ends, long lists to their first
//! entries. An answer that was cut says so.

use crate::api::Page;
use crate::app::AppError;
use serde::Serialize;
use serde_json::{json, Value};
use std::future::Future;

/// Bytes of an answer as JSON inside of JSON, at most.
pub(super) const MOST: usize = 8 << 10;
/// What stands around the text of an answer.
const AROUND: usize = 256;
/// Rows that are asked for at first.
const ROWS: usize = 50;

/// How short texts and lists are made, one after the other until the answer fits.
const CUTS: [(usize, usize); 7] = [(2000, 100), (1000, 50), (500, 20), (200, 10), (100, 5), (60, 3), (30, 1)];

/// Whether a value can be an answer.
fn fits(value: &Value) -> bool {
    // It is sent as a text, in which each quotation mark takes two bytes.
    let text = Value::String(value.to_string()).to_string();
    text.len() + AROUND <= MOST
}

/// A document, cut as much as it has to be.
pub(super) fn document(value: &impl Serialize) -> Value {
    let value = json!(value);
    if fits(&value) {
        return value;
    }
    for (text, list) in CUTS {
        let mut cut = cut(&value, text, list);
        if let Value::Object(fields) = &mut cut {
            fields.insert(
                "cut".to_owned(),
                json!("long texts and lists are cut; ask for less, or for one of them"),
            );
        }
        if fits(&cut) {
            return cut;
        }
    }
    json!({"cut": "this does not fit into an answer; ask for less"})
}

/// A value with texts of at most so many characters, and lists of at most so many entries.
fn cut(value: &Value, text: usize, list: usize) -> Value {
    match value {
        Value::String(long) if long.chars().count() > text => {
            Value::String(long.chars().take(text).chain(['…']).collect())
        }
        Value::Array(entries) => {
            let mut kept: Vec<Value> =
                entries.iter().take(list).map(|entry| cut(entry, text, list)).collect();
            if entries.len() > list {
                kept.push(json!(format!("… and {} more", entries.len() - list)));
            }
            Value::Array(kept)
        }
        Value::Object(fields) => {
            let rest = fields.len().saturating_sub(list.max(20));
            let kept =
                fields.iter().take(list.max(20)).map(|(name, value)| (name.clone(), cut(value, text, list)));
            Value::Object(
                kept.chain((rest > 0).then(|| ("…".to_owned(), json!(format!("{rest} more fields")))))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// How many of some rows fit beside what else an answer has.
fn fitting<T: Serialize>(rows: &[T]) -> usize {
    let mut left = MOST - 2 * AROUND;
    let size = |row: &T| Value::String(json!(row).to_string()).to_string().len();
    rows.iter()
        .take_while(|row| match left.checked_sub(size(row)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .count()
}

/// A page with as many rows as fit. `ask` gets how many at most, and is asked again with fewer, so that its cursor fits what is shown.
///
/// # Errors
/// What `ask` says.
pub(super) async fn page<T, F>(ask: impl Fn(usize) -> F) -> Result<Value, AppError>
where
    T: Serialize,
    F: Future<Output = Result<Page<T>, AppError>>,
{
    let first = ask(ROWS).await?;
    let count = fitting(&first.data);
    if count == first.data.len() {
        return Ok(document(&first));
    }
    // One row alone may be too large, and is cut then.
    Ok(document(&ask(count.max(1)).await?))
}

/// A page of rows that are all there, from the one that the cursor names.
///
/// # Errors
/// None.
pub(super) fn part<T: Serialize>(rows: &[T], from: usize, seq: u64) -> Value {
    let rows = rows.get(from..).unwrap_or_default();
    let count = if rows.is_empty() { 0 } else { fitting(rows).max(1) };
    let next = (count < rows.len()).then(|| (from + count).to_string());
    document(&json!({"data": rows[..count], "next": next, "seq": seq}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<u64>().prop_map(|number| json!(number)),
            "[\"\\\\a-zé€\u{0}\u{1f600}]{0,3000}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 200, 60, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..60).prop_map(Value::Array),
                proptest::collection::btree_map("[a-z\"]{1,40}", inner, 0..60)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn no_document_is_larger_than_an_answer(value in any_value()) {
            let shown = document(&value);
            prop_assert!(fits(&shown));
            if fits(&value) {
                prop_assert_eq!(shown, value);
            }
        }
    }

    #[test]
    fn a_list_goes_on_where_the_page_before_ends_and_loses_nothing() {
        let rows: Vec<String> = (0..300).map(|n| format!("{n} {}", "\"x".repeat(n))).collect();
        let (mut from, mut seen) = (0, Vec::new());
        loop {
            let page = part(&rows, from, 7);
            assert!(fits(&page));
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            from = next.parse().unwrap();
        }
        assert_eq!(seen, rows);
        assert_eq!(part(&rows, 1000, 7)["data"], json!([]));
    }

    #[tokio::test]
    async fn a_page_is_asked_for_again_with_as_many_rows_as_fit() {
        let all: Vec<String> = (0..100).map(|n| format!("{n}{}", "y".repeat(400))).collect();
        let ask = |limit: usize| {
            let data: Vec<String> = all.iter().take(limit).cloned().collect();
            async move { Ok(Page { next: Some(data.len().to_string()), data, seq: 1 }) }
        };
        let found = page(ask).await.unwrap();
        let count = found["data"].as_array().unwrap().len();
        assert!(fits(&found) && count > 10 && found["cut"].is_null(), "{count}");
        assert_eq!(found["next"], count.to_string());
        // A row that is too large by itself is cut and passed.
        let huge = |limit: usize| async move {
            let data: Vec<String> = (0..limit).map(|_| "z".repeat(50_000)).collect();
            Ok(Page { next: Some(data.len().to_string()), data, seq: 1 })
        };
        let found = page(huge).await.unwrap();
        assert_eq!((found["next"].as_str(), found["data"].as_array().unwrap().len()), (Some("1"), 1));
    }
}
