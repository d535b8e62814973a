//! Answers without names of what whoever asks may not see.
//!
//! Lists and counts leave out what is not seen. What is left are texts that name it in passing: why something is stale, what a job was
//! told, what failed upstream. A row about it goes, and a text ends where it names it: [`VEILED`] stands for the rest.

use super::audience::Audience;
use databuild_core::state::State;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What stands in the place of a name and of what follows it.
const VEILED: &str = "…";
/// Fields that say what a row is about.
const NAMING: [&str; 12] = [
    "dataset",
    "partition",
    "job",
    "label",
    "run",
    "want",
    "plan",
    "trial",
    "id",
    "name",
    "reference",
    "input",
];
/// Fields whose values are words of closed lists, places in lists, and keys: a row with a key of data that is not seen is left out, and
/// any other key may be called as something that is not seen.
const WHOLE: [&str; 11] =
    ["state", "kind", "outcome", "class", "refresh", "phase", "code", "block_reason", "turn", "next", "key"];

/// Says of the id of a want, a run, a plan or a trial whether it is seen.
pub type Ids<'i> = &'i mut dyn FnMut(&str) -> bool;

/// An answer as an audience may read it.
#[must_use]
pub fn veil(audience: &Audience, state: &State, ids: Ids<'_>, answer: Value) -> Value {
    if audience.sees_all() {
        return answer;
    }
    Veil::of(audience, state, ids).value(answer)
}

struct Veil<'v> {
    /// Names of datasets, as they are and as they were, and labels of datasets and jobs.
    hidden: HashSet<String>,
    ids: Ids<'v>,
    /// It is inside of what an event says.
    in_event: bool,
}

impl<'v> Veil<'v> {
    fn of(audience: &Audience, state: &State, ids: Ids<'v>) -> Veil<'v> {
        let mut hidden = HashSet::new();
        if let Some(registered) = state.followed() {
            let graph = &registered.graph;
            for (ix, dataset) in graph.datasets().filter(|(ix, _)| !audience.sees_dataset(graph, *ix)) {
                hidden.extend(state.names(ix));
                hidden.insert(dataset.label.clone());
            }
            for (_, job) in graph.jobs().filter(|(ix, _)| !audience.sees_job(graph, *ix)) {
                hidden.extend(job.labels().map(str::to_owned));
            }
        }
        Veil { hidden, ids, in_event: false }
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => {
                let kept = items.into_iter().filter(|item| !self.is_about_hidden(item)).collect::<Vec<_>>();
                let mut told: Vec<Value> = kept.into_iter().map(|item| self.value(item)).collect();
                // How often something is the matter with others is not told either.
                let is_cut = |value: &Value| value.as_str().is_some_and(|text| text.ends_with(VEILED));
                told.dedup_by(|one, before| one == before && is_cut(one));
                Value::Array(told)
            }
            Value::Object(fields) => {
                let fields = without_sums(fields);
                let told = fields.into_iter().filter_map(|(name, value)| {
                    // What events say may have names in the place of fields. Fields of all else are called as they are, whatever
                    // others call their data.
                    if self.in_event && self.is_hidden(&name) {
                        return None;
                    }
                    let value = match name.as_str() {
                        whole if WHOLE.contains(&whole) => value,
                        "data" if value.is_object() => self.said_by_event(value),
                        _ => self.value(value),
                    };
                    Some((name, value))
                });
                Value::Object(told.collect())
            }
            other => other,
        }
    }

    fn said_by_event(&mut self, data: Value) -> Value {
        let outside = std::mem::replace(&mut self.in_event, true);
        let told = self.value(data);
        self.in_event = outside;
        told
    }

    /// Whether a row, or a text of a list, is about what is not seen.
    fn is_about_hidden(&mut self, item: &Value) -> bool {
        match item {
            Value::String(text) => self.is_hidden(text),
            Value::Object(fields) => NAMING.iter().any(|name| {
                fields.get(*name).and_then(Value::as_str).is_some_and(|text| self.is_hidden(text))
            }),
            _ => false,
        }
    }

    /// A text up to where it names what is not seen: what follows may be what that said, such as the error of its job. A number that
    /// stands before the name in the same clause may say how much of it there is: `3 partitions, such as …`.
    fn text(&mut self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(is_between).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let bare = word.trim_end_matches(['.', ':', '!']);
            if self.is_hidden(bare) {
                told.truncate(before_count(&told));
                told.push_str(VEILED);
                return told;
            }
            told.push_str(word);
            let between = after.len() - after.trim_start_matches(is_between).len();
            told.push_str(&after[..between]);
            rest = &after[between..];
        }
        told
    }

    /// Whether a word is the name of something that is not seen, or a path with such a name in it.
    fn is_hidden(&mut self, word: &str) -> bool {
        if word.is_empty() {
            return false;
        }
        if is_id(word) {
            return !(self.ids)(word);
        }
        if self.hidden.contains(word) {
            return true;
        }
        let parts: Vec<&str> = word.split('/').collect();
        (0..parts.len()).any(|from| {
            let mut name = String::new();
            parts[from..].iter().any(|part| {
                if !name.is_empty() {
                    name.push('/');
                }
                name.push_str(part);
                self.hidden.contains(&name)
            })
        })
    }
}

/// An event without counts that it does not tell apart by job.
fn without_sums(mut fields: Map<String, Value>) -> Map<String, Value> {
    let sum = match fields.get("kind").and_then(Value::as_str) {
        Some("plan_created") => "current",
        Some("want_ended") => "counts",
        _ => return fields,
    };
    if let Some(data) = fields.get_mut("data").and_then(Value::as_object_mut) {
        data.remove(sum);
    }
    fields
}

/// Where the first number of the last clause of a text begins; its end, if there is none.
fn before_count(text: &str) -> usize {
    let clause = [": ", "; ", ". "].iter().filter_map(|end| text.rfind(end)).max().map_or(0, |at| at + 2);
    let mut at = clause;
    for word in text[clause..].split_inclusive(' ') {
        let bare = word.trim_end();
        if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) {
            return at;
        }
        at += word.len();
    }
    text.len()
}

/// What parts words of a text.
fn is_between(c: char) -> bool {
    c.is_whitespace() || "`\"'()[]{}<>;,|\\&?#".contains(c)
}

/// Whether it is the id of a want, a run, a plan, a trial or an attempt.
fn is_id(word: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = word.strip_prefix(['w', 'r', 'p', 't']) else { return false };
    match rest.split_once('-') {
        Some((run, attempt)) => number(run) && number(attempt),
        None => number(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_what_is_not_seen_are_not_told() {
        let workspace = Workspace::new(&chain("code"));
        let audience = Audience::of(&["text".to_owned()]);
        let mut ids = |id: &str| id == "r1" || id == "r1-2";
        let answer = json!({
            "data": [{"dataset": "text", "state": "book"}, {"dataset": "raw", "total": 3}],
            "message": "`raw/name=a` failed: see out/raw/a and r1-2, not r2; text is fine.",
            "error": "text/name=a and r1-2 need out/raw/a, which failed: exit code 3: a secret of raw's job",
            "fine": "text/name=a failed: no memory.",
            "counted": "text/name=a is out of date: 3 partitions, such as raw/name=a, are not there",
            "causes": ["raw/name=a failed", "r2 failed: 1", "raw/name=b failed", "text/name=a failed"],
            "inputs": ["raw/name=a..b", "text/name=c"],
            "raw": 1,
            "event": {"data": {"raw": 1, "text": 2}},
            "runs": ["r1", "r2", 7],
            "keys": [{"key": "r2"}, {"key": "raw"}],
            "next": "w5",
            "nested": {"said": "{\"dataset\":\"raw\"}", "rawest": "rawer raw."},
        });
        let told = veil(&audience, &workspace.core.state, &mut ids, answer.clone());
        let expected = json!({
            "data": [{"dataset": "text", "state": "book"}],
            "message": "`…",
            "error": "text/name=a and r1-2 need …",
            "fine": "text/name=a failed: no memory.",
            "counted": "text/name=a is out of date: …",
            "causes": ["…", "text/name=a failed"],
            "inputs": ["text/name=c"],
            "raw": 1,
            "event": {"data": {"text": 2}},
            "runs": ["r1", 7],
            "keys": [{"key": "r2"}, {"key": "raw"}],
            "next": "w5",
            "nested": {"said": "{\"dataset\":\"…", "rawest": "rawer …"},
        });
        assert_eq!(told, expected);
        assert_eq!(veil(&Audience::default(), &workspace.core.state, &mut ids, answer.clone()), answer);
    }
}
