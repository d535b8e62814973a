//! Graphs of the starter's tests: `out` is made from `raw`, and `top` from `out`.

use super::code;
use serde_json::{json, Value};

pub(super) fn dataset(name: &str, external: bool, path: Option<&str>, observe: Value) -> Value {
    json!({
        "name": name, "label": format!("//:{name}"), "external": external, "dims": [], "path": path, "observe": observe,
    })
}

/// How much is kept of the output of the job that makes `top`.
pub(super) const LOG_LIMIT: u64 = 5_000;

pub(super) fn job(makes: &str, reads: &[&str]) -> Value {
    let inputs: Vec<Value> = reads
        .iter()
        .map(|name| json!({"name": name, "dataset": name, "dims": [], "before_start": "fail", "after_end": "fail"}))
        .collect();
    let mut job = json!({
        "label": format!("//:make_{makes}"), "program": crate::testing::program(&code().digest().to_string()),
        "inputs": inputs, "outputs": [makes], "retries": 0, "backoff_ms": 1000, "backoff_max_ms": 1000,
        "on_code_change": "stale", "sources": "s",
    });
    if makes == "top" {
        job["log_limit"] = LOG_LIMIT.into();
    }
    job
}

/// `out` is made from `raw`, and `top` from `out`.
pub(super) fn graph(raw: Value) -> String {
    let mut datasets = [
        raw,
        dataset("out", false, Some("made/out.txt"), Value::Null),
        dataset("top", false, Some("made/top.txt"), Value::Null),
    ];
    datasets.sort_by_key(|dataset| dataset["name"].to_string());
    let jobs = [job("out", &["raw"]), job("top", &["out"])];
    json!({"format": 2, "label": "//:graph", "datasets": datasets, "jobs": jobs}).to_string()
}

pub(super) fn file() -> Value {
    dataset("raw", true, Some("in/raw"), Value::Null)
}

pub(super) fn glob() -> Value {
    dataset("raw", true, None, json!({"kind": "glob", "pattern": "in/*"}))
}

/// A program that says what `in/raw` holds; an answer younger than an hour is believed if `every`.
pub(super) fn program(every: bool) -> Value {
    let observe = json!({
        "kind": "program", "label": "//:probe", "every_ms": if every { 3_600_000 } else { 0 },
        "program": {
            "executable": "probe", "args": [], "env": {}, "env_inherit": [], "timeout_ms": 30_000, "manifest": "m",
            "code": code().digest(),
        },
    });
    dataset("raw", true, None, observe)
}

/// The same, and the file stands beside it, so that jobs get its path.
pub(super) fn program_beside_file() -> Value {
    let mut raw = program(false);
    raw["path"] = json!("in/raw");
    raw
}
