//! Which arguments of a program differ between two graph files, in words.
//!
//! The digest of the arguments decides that something changed; the two files say what.

use databuild_core::graph::file::{JobEntry, ProgramEntry};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a value that are shown.
const LONGEST_SHOWN: usize = 100;

/// Arguments, environment and parameters of a job that differ, such as `--x=1 -> --x=2` in backquotes.
#[must_use]
pub fn of_job(then: &JobEntry, now: &JobEntry) -> Vec<String> {
    let mut found = of_program(&then.program, &now.program);
    found.extend(named("parameter ", &then.params, &now.params));
    found
}

/// Arguments and environment of a program that differ.
#[must_use]
pub fn of_program(then: &ProgramEntry, now: &ProgramEntry) -> Vec<String> {
    let mut found = of_args(&then.args, &now.args);
    found.extend(named("", &then.env, &now.env));
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<String>>();
    let (before, after) = (set(&then.env_inherit), set(&now.env_inherit));
    found.extend(after.difference(&before).map(|name| format!("{} is inherited now", quoted(name))));
    found.extend(before.difference(&after).map(|name| format!("{} is no longer inherited", quoted(name))));
    found
}

/// Inherited variables whose values differ, by the digests of the values.
pub fn of_inherited<'n>(
    names: &'n [String],
    then: &'n BTreeMap<String, String>,
    now: &'n BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'n {
    let differs = move |name: &&String| then.get(*name) != now.get(*name);
    names.iter().filter(differs).map(|name| match (then.get(name), now.get(name)) {
        (Some(_), Some(_)) => format!("the inherited variable {} has another value", quoted(name)),
        (None, _) => format!("the inherited variable {} was not set then", quoted(name)),
        (_, None) => format!("the inherited variable {} is no longer set", quoted(name)),
    })
}

/// Compares two lists without their common beginning and end. If as many arguments are left on both sides, they are compared
/// one by one.
fn of_args(then: &[String], now: &[String]) -> Vec<String> {
    let begin = then.iter().zip(now).take_while(|(then, now)| then == now).count();
    let (then, now) = (&then[begin..], &now[begin..]);
    let end = then.iter().rev().zip(now.iter().rev()).take_while(|(then, now)| then == now).count();
    let (then, now) = (&then[..then.len() - end], &now[..now.len() - end]);
    let all = |args: &[String]| quoted(&args.join(" "));
    match (then, now) {
        ([], []) => Vec::new(),
        ([], added) => vec![format!("{} was added", all(added))],
        (removed, []) => vec![format!("{} was removed", all(removed))],
        (then, now) if then.len() == now.len() => then
            .iter()
            .zip(now)
            .filter(|(then, now)| then != now)
            .map(|(then, now)| format!("{} -> {}", quoted(then), quoted(now)))
            .collect(),
        (then, now) => vec![format!("{} -> {}", all(then), all(now))],
    }
}

fn named(what: &str, then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let assigned = |name: &str, value: &str| quoted(&format!("{name}={value}"));
    let differs = names.into_iter().filter(|name| then.get(*name) != now.get(*name));
    differs
        .map(|name| match (then.get(name), now.get(name)) {
            (Some(then), Some(now)) => format!("{what}{} -> {}", assigned(name, then), quoted(now)),
            (None, Some(now)) => format!("{what}{} was added", assigned(name, now)),
            (then, _) => {
                let then = then.map(String::as_str).unwrap_or_default();
                format!("{what}{} was removed", assigned(name, then))
            }
        })
        .collect()
}

/// The beginning of a text, in backquotes.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(then: &[&str], now: &[&str]) -> Vec<String> {
        let list = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        of_args(&list(then), &list(now))
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_argument_is_told_as_it_was_and_as_it_is() {
        assert_eq!(args(&["{path}", "--x=1"], &["{path}", "--x=2"]), ["`--x=1` -> `--x=2`"]);
        assert_eq!(args(&["a", "b", "c"], &["a", "x", "c"]), ["`b` -> `x`"]);
        assert_eq!(args(&["1", "b", "3"], &["2", "b", "4"]), ["`1` -> `2`", "`3` -> `4`"]);
        assert_eq!(args(&["{path}"], &["{path}", "--y"]), ["`--y` was added"]);
        assert_eq!(args(&["-v", "-q", "{path}"], &["{path}"]), ["`-v -q` was removed"]);
        assert_eq!(args(&["a", "b"], &["c"]), ["`a b` -> `c`"]);
        assert_eq!(args(&["a", "a"], &["a"]), ["`a` was removed"]);
        assert_eq!(args(&["a"], &["a"]), [""; 0]);
        let long = args(&["a"], &[&"é".repeat(300)]);
        assert_eq!(long, [format!("`a` -> `{}...`", "é".repeat(LONGEST_SHOWN))]);
    }

    #[test]
    fn variables_and_parameters_are_told_by_name() {
        let of = |then: &[(&str, &str)], now: &[(&str, &str)]| named("parameter ", &map(then), &map(now));
        assert_eq!(of(&[("x", "1")], &[("x", "2")]), ["parameter `x=1` -> `2`"]);
        assert_eq!(of(&[("x", "1")], &[]), ["parameter `x=1` was removed"]);
        assert_eq!(of(&[], &[("y", "")]), ["parameter `y=` was added"]);
        let names = ["A", "B", "C", "D"].map(str::to_owned);
        let (then, now) =
            (map(&[("A", "1"), ("B", "1"), ("D", "1")]), map(&[("A", "2"), ("C", "1"), ("D", "1")]));
        let found: Vec<String> = of_inherited(&names, &then, &now).collect();
        let expected = [
            "the inherited variable `A` has another value",
            "the inherited variable `B` is no longer set",
            "the inherited variable `C` was not set then",
        ];
        assert_eq!(found, expected);
    }
}
