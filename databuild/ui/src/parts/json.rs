//! What an event or a job says in JSON, field by field, and whole for those who want it as it is.

use super::reference::{because, many};
use databuild_core::amounts::number;
use maud::{html, Markup};
use serde_json::Value;

/// Texts of a list that are shown; the rest is counted.
const SHOWN: usize = 20;
/// Characters of a text that are shown.
const LONGEST: usize = 600;
/// Bytes that are shown of something whole.
const MOST: usize = 16 << 10;

/// The fields of an object as a list of names and values; what is not said in a line is folded.
#[must_use]
pub fn fields(object: &Value) -> Markup {
    let Some(fields) = object.as_object() else { return value(object) };
    html! {
        dl.kv { @for (name, of) in fields { dt { (name.replace('_', " ")) } dd { (value(of)) } } }
    }
}

fn value(of: &Value) -> Markup {
    match of {
        Value::Null => html! { span.soft { "none" } },
        Value::Bool(true) => html! { "yes" },
        Value::Bool(false) => html! { "no" },
        Value::Number(digits) => {
            html! { @match digits.as_u64() { Some(whole) => (number(whole)), None => (digits.to_string()) } }
        }
        Value::String(text) if text.is_empty() => html! { span.soft { "empty" } },
        Value::String(text) => {
            html! { span.m { (because(beginning(text))) @if beginning(text) != text { "\u{2026}" } } }
        }
        Value::Array(all) if all.is_empty() => html! { span.soft { "none" } },
        Value::Object(all) if all.is_empty() => html! { span.soft { "none" } },
        Value::Array(all) if all.iter().all(|one| !one.is_array() && !one.is_object()) => html! {
            @for (at, one) in all.iter().take(SHOWN).enumerate() { @if at > 0 { br; } (value(one)) }
            @if all.len() > SHOWN { br; span.soft { "and " (number((all.len() - SHOWN) as u64)) " more" } }
        },
        Value::Array(all) => folded(&many(all.len() as u64, "item"), of),
        Value::Object(all) => folded(&many(all.len() as u64, "field"), of),
    }
}

/// JSON behind a line that says what it is.
#[must_use]
pub fn folded(what: &str, of: &Value) -> Markup {
    let text = format!("{of:#}");
    let end = (0..=MOST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    html! {
        details {
            summary { (what) }
            pre.json tabindex="0" { (text[..end]) @if end < text.len() { "\n\u{2026}" } }
        }
    }
}

fn beginning(text: &str) -> &str {
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_told_as_people_read_them_and_much_is_folded() {
        let of = json!({
            "run": "r12", "exit_code": 3, "max_rss_kb": 1_048_576, "canceled": false, "message": "<b>", "none": [],
            "partitions": ["daily/date=2026-01-01", "daily/date=2026-01-02"],
            "outputs": [{"partition": "daily", "bytes": 7}],
        });
        let told = fields(&of).into_string();
        for part in [
            "<a class=\"m\" href=\"/runs/r12\">r12</a>",
            "1,048,576",
            "<dt>exit code</dt><dd>3</dd>",
            "<dd>no</dd>",
            "&lt;b&gt;",
            "daily/date=2026-01-01</span><br>",
            "<summary>1 item</summary>",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn what_is_shown_has_a_bound_however_much_there_is() {
        let much = json!({
            "texts": vec!["x"; 10_000], "long": "\u{e9}".repeat(100_000), "deep": vec![json!({"a": "y".repeat(1000)}); 1_000],
        });
        let told = fields(&much).into_string();
        assert!(told.len() < 2 * MOST, "{}", told.len());
        assert!(told.contains("and 9,980 more") && told.contains("1,000 items"));
    }
}
