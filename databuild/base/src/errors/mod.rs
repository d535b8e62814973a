//! Error codes that users meet: what each means, what to do, and of which kind it is.
//!
//! The HTTP status and the exit code of an error follow from its kind alone: the server and the command line look it up
//! here. `databuild explain CODE` and `docs/errors.md` show the same texts.
//!
//! Invariant: every code that a command, the API or the message of a run shows stands in [`all`], once. A test holds it.

mod catalog;
mod entry;
mod kind;

pub use catalog::all;
pub use entry::Entry;
pub use kind::{exit_code_of, status_of, Kind};

use databuild_core::word::Word as _;
use std::fmt::Write as _;

/// What is known of a code; none if nobody ever says it.
#[must_use]
pub fn find(code: &str) -> Option<&'static Entry> {
    let at = all().binary_search_by(|entry| entry.code.cmp(code)).ok()?;
    all().get(at)
}

/// The kind of a code. One that is not known is a bug of ours, which tests meet as a panic.
#[must_use]
pub fn kind_of(code: &str) -> Kind {
    let found = find(code);
    debug_assert!(found.is_some(), "error code `{code}` is not in the catalog");
    found.map_or(Kind::Bug, |entry| entry.kind)
}

/// All codes as the page `docs/errors.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Every error has a stable code: `error[CODE]: ...` on the command line, `{\"error\": CODE, ...}` in the API. \
         `databuild explain CODE`\nshows what stands here. Made by `databuild explain --markdown`.\n\n\
         The kind of a code decides the exit code of a command and the HTTP status of an answer:\n\n\
         | kind | exit code | HTTP status | |\n| --- | --- | --- | --- |\n",
    );
    for kind in Kind::ALL.iter().copied() {
        let status = status_of(kind).map_or_else(String::new, |status| status.to_string());
        let exit = exit_code_of(kind);
        let _ = writeln!(page, "| {} | {exit} | {status} | {} |", kind.word(), kind.meaning());
    }
    for entry in all() {
        let _ = write!(
            page,
            "\n## {}\n\n*{}* {}\n\n{}\n",
            entry.code,
            entry.kind.word(),
            entry.cause,
            entry.cure
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_says_what_happened_and_what_to_do() {
        for pair in all().windows(2) {
            assert!(pair[0].code < pair[1].code, "{} stands twice", pair[1].code);
        }
        for Entry { code, kind, cause, cure } in all() {
            for text in [cause, cure] {
                assert!(
                    text.len() > 10 && text.ends_with('.') && !text.contains(['\n', '\t']),
                    "{code}: {text}"
                );
            }
            let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(code.bytes().all(plain), "{code}");
            assert_eq!((find(code).map(|entry| entry.code), kind_of(code)), (Some(*code), *kind));
        }
        assert_eq!(find("no_such_code"), None);
    }

    #[test]
    fn status_and_exit_code_follow_from_the_kind() {
        let of = |code: &str| (status_of(kind_of(code)), exit_code_of(kind_of(code)));
        for (code, status, exit) in [
            ("bad_json", Some(400), 2),
            ("unauthorized", Some(401), 4),
            ("want_not_found", Some(404), 2),
            ("want_ended", Some(409), 2),
            ("no_graph", Some(409), 3),
            ("events_archived", Some(410), 3),
            ("graph_invalid", Some(422), 3),
            ("unknown_dataset", Some(422), 2),
            // Of a graph and of a reference.
            ("empty_key_space", Some(422), 2),
            ("internal", Some(500), 70),
            ("corrupt_log", Some(500), 3),
            ("shutting_down", Some(503), 4),
            ("disk_full", Some(507), 3),
            ("output_missing", None, 1),
        ] {
            assert_eq!(of(code), (status, exit), "{code}");
        }
    }

    #[test]
    fn the_page_has_each_code_and_kind() {
        let page = page();
        for entry in all() {
            assert!(page.contains(&format!("\n## {}\n", entry.code)), "{}", entry.code);
        }
        for kind in Kind::ALL {
            assert!(page.contains(&format!("| {} | ", kind.word())), "{}", kind.word());
        }
    }
}
