//! Code manifests: the exact content of a job's executable and runfiles, as text.
//!
//! The first line is [`HEADER`]; then one line a runfiles path, sorted bytewise by path, no path twice:
//! `F <sha256> <size> <x|-> <path>` a file (`x`: the job's executable), `L <target> <path>` a symbolic
//! link that is a link on purpose (target percent-encoded), `E <path>` an empty file that Bazel makes
//! up. Mode bits of other files are left out: Bazel marks every generated file executable and does not
//! notice a `chmod`.

use crate::digest::Content;
use crate::error::ToolError;
use crate::params::{unknown_directive, write_output, Params};
use databuild_core::line_field;
use std::collections::btree_map::Entry as Slot;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// First line of every manifest; the number is the format's version.
pub const HEADER: &str = "databuild-code-manifest 1";

/// What stands at one runfiles path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File {
        /// Its content.
        content: Content,
        /// It is what the job runs.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// As it is stored in the link.
        target: String,
    },
    /// An empty file.
    Empty,
}

/// A manifest: entries by runfiles path.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Sorted by the order of a map.
    pub entries: BTreeMap<String, Entry>,
}

impl Manifest {
    /// The text of the manifest.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!("{HEADER}\n");
        for (path, entry) in &self.entries {
            // Writing to a String cannot fail.
            let _ = match entry {
                Entry::File { content, executable } => {
                    let mark = if *executable { 'x' } else { '-' };
                    writeln!(out, "F {} {} {mark} {path}", content.sha256, content.size)
                }
                Entry::Link { target } => writeln!(out, "L {} {path}", line_field::encode(target)),
                Entry::Empty => writeln!(out, "E {path}"),
            };
        }
        out
    }

    /// Reads the text of a manifest that was written to `path`.
    ///
    /// # Errors
    /// The first line that is none of a manifest, or a path that stands there twice.
    pub fn parse(text: &str, path: &Path) -> Result<Manifest, ToolError> {
        let mut lines = text.lines().enumerate();
        let bad = |index: usize| ToolError::BadManifest { path: path.to_owned(), line: index + 1 };
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(bad(0));
        }
        let mut manifest = Manifest::default();
        for (index, line) in lines {
            let (name, entry) = parse_line(line).ok_or_else(|| bad(index))?;
            if manifest.entries.insert(name.to_owned(), entry).is_some() {
                return Err(bad(index));
            }
        }
        Ok(manifest)
    }

    /// Takes over the entries of another part of the same tree.
    ///
    /// # Errors
    /// A path with different content in both.
    pub fn absorb(&mut self, part: Manifest) -> Result<(), ToolError> {
        for (path, entry) in part.entries {
            match self.entries.entry(path) {
                Slot::Vacant(slot) => {
                    slot.insert(entry);
                }
                // An empty file is what Bazel puts where nothing else is.
                Slot::Occupied(mut slot) if *slot.get() == Entry::Empty => {
                    slot.insert(entry);
                }
                Slot::Occupied(slot) if entry == Entry::Empty || *slot.get() == entry => {}
                Slot::Occupied(slot) => return Err(ToolError::Conflict(slot.key().clone())),
            }
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Option<(&str, Entry)> {
    match line.split_once(' ')? {
        ("F", rest) => {
            let (sha256, rest) = rest.split_once(' ')?;
            let (size, rest) = rest.split_once(' ')?;
            let (mark, path) = rest.split_once(' ')?;
            let executable = match mark {
                "x" => true,
                "-" => false,
                _ => return None,
            };
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            {
                return None;
            }
            let content = Content { sha256: sha256.to_owned(), size: size.parse().ok()? };
            Some((path, Entry::File { content, executable }))
        }
        ("L", rest) => {
            let (target, path) = rest.split_once(' ')?;
            Some((path, Entry::Link { target: line_field::decode(target)? }))
        }
        ("E", path) => Some((path, Entry::Empty)),
        _ => None,
    }
}

/// `merge`: `--out=FILE` and directives `manifest<TAB>FILE`; writes the union.
///
/// # Errors
/// An unreadable or malformed part, or parts that contradict each other.
pub fn merge(params: &Params) -> Result<(), ToolError> {
    let mut whole = Manifest::default();
    for fields in params.directives() {
        let ["manifest", path] = fields[..] else {
            return Err(unknown_directive(&fields));
        };
        let path = Path::new(path);
        let text = std::fs::read_to_string(path).map_err(|source| ToolError::read(path, source))?;
        whole.absorb(Manifest::parse(&text, path)?)?;
    }
    write_output(&params.path("out")?, whole.render().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sha: char, executable: bool) -> Entry {
        Entry::File { content: Content { sha256: sha.to_string().repeat(64), size: 3 }, executable }
    }

    fn manifest(entries: &[(&str, Entry)]) -> Manifest {
        Manifest {
            entries: entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())).collect(),
        }
    }

    #[test]
    fn text_is_sorted_bytewise_and_read_back_equal() {
        let link = Entry::Link { target: "../a b%\n/ü".to_owned() };
        let whole = manifest(&[
            ("_main/b", file('b', false)),
            ("_main/a b/ü", file('a', true)),
            ("_main/B", Entry::Empty),
            ("_main/venv", link),
        ]);
        let text = whole.render();
        let paths: Vec<&str> =
            text.lines().skip(1).map(|line| &line[line.find("_main").unwrap()..]).collect();
        assert_eq!(paths, ["_main/B", "_main/a b/ü", "_main/b", "_main/venv"]);
        assert!(text.contains("L ../a%20b%25%0A/ü _main/venv\n"), "{text}");
        assert_eq!(Manifest::parse(&text, Path::new("m")).unwrap(), whole);
    }

    #[test]
    fn malformed_lines_are_named() {
        let sha = "a".repeat(64);
        for bad in [
            "X what",
            "F abc 3 - p",
            "E",
            "L onlytarget",
            "L %zz p",
            &format!("F {sha} three - p"),
            &format!("F {sha} 3 w p"),
            "E p\nE p",
        ] {
            let text = format!("{HEADER}\nE before\n{bad}\n");
            let error = Manifest::parse(&text, Path::new("m")).unwrap_err();
            let line = 2 + bad.lines().count();
            assert!(
                error.report().starts_with(&format!("error[bad_manifest]: m, line {line}: ")),
                "{}",
                error.report()
            );
        }
        assert!(Manifest::parse("databuild-code-manifest 2\n", Path::new("m")).is_err());
    }

    #[test]
    fn parts_are_joined_and_contradictions_refused() {
        let mut whole = manifest(&[("a", file('1', false)), ("i", Entry::Empty)]);
        whole
            .absorb(manifest(&[("a", file('1', false)), ("b", file('2', true)), ("i", file('3', false))]))
            .unwrap();
        whole.absorb(manifest(&[("b", Entry::Empty)])).unwrap();
        assert_eq!(
            whole,
            manifest(&[("a", file('1', false)), ("b", file('2', true)), ("i", file('3', false))])
        );
        let error = whole.absorb(manifest(&[("a", file('9', false))])).unwrap_err();
        assert!(error
            .report()
            .starts_with("error[runfiles_conflict]: two different files claim the runfiles path a\n"));
    }
}
