//! Graph files of earlier formats in the form of now.
//!
//! | format | differs in |
//! |---|---|
//! | 1 | what is known of a program stands beside what is known of its job, check or observer |

use super::file::FORMAT;
use serde_json::{Map, Value};

/// What moved into `program` with format 2.
const PROGRAM: [&str; 8] =
    ["executable", "args", "env", "env_inherit", "timeout_ms", "grace_ms", "manifest", "code"];

/// Rewrites a file of an earlier format, and tells whether it is one. Others stay as they are.
pub(super) fn upgrade(file: &mut Value) -> bool {
    if file.get("format").and_then(Value::as_u64) != Some(1) {
        return false;
    }
    for entries in ["jobs", "checks"] {
        for entry in elements(file, entries) {
            nest(entry);
        }
    }
    for dataset in elements(file, "datasets") {
        if let Some(observe) = dataset.get_mut("observe").and_then(Value::as_object_mut) {
            if observe.get("kind").and_then(Value::as_str) == Some("program") {
                nest(observe);
            }
        }
    }
    file["format"] = FORMAT.into();
    true
}

fn elements<'f>(file: &'f mut Value, name: &str) -> impl Iterator<Item = &'f mut Map<String, Value>> {
    let elements = file.get_mut(name).and_then(Value::as_array_mut);
    elements.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn nest(entry: &mut Map<String, Value>) {
    let moved = PROGRAM.into_iter().filter_map(|name| Some((name.to_owned(), entry.remove(name)?)));
    let program: Map<String, Value> = moved.collect();
    entry.insert("program".to_owned(), Value::Object(program));
}
