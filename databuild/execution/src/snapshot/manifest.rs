//! The code manifest: what the build says a job's code consists of.
//!
//! A text file, sorted by path, so that equal code gives equal bytes:
//!
//! ```text
//! databuild-code-manifest 1
//! F <sha256> <size> <x|-> <runfiles path>     a file; x marks the job's executable
//! L <target> <runfiles path>                  a symbolic link; the target percent-encodes blanks
//! E <runfiles path>                           an empty file the rules ask for
//! ```
//!
//! Invariant of a parsed [`CodeManifest`]: its paths stay inside the runfiles folder (also through its
//! own relative links), none lies below another, and exactly one file is the executable.

use std::collections::HashSet;

use databuild_core::line_field;
use sha2::{Digest as _, Sha256};

use super::digest::{CodeDigest, FileDigest};

const HEADER: &str = "databuild-code-manifest 1";
const HEADER_NAME: &str = "databuild-code-manifest ";

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file with content.
    File {
        /// Canonical runfiles path, e.g. `_main/sales/ingest`.
        path: String,
        /// Of its content.
        digest: FileDigest,
        /// In bytes.
        size: u64,
        /// Whether this is the program the job starts.
        executable: bool,
    },
    /// A symbolic link, relative to its folder or absolute to something of the host (an interpreter),
    /// which is then not part of the code.
    Link {
        /// Canonical runfiles path.
        path: String,
        /// As `readlink` gives it.
        target: String,
    },
    /// A file of no bytes, which no rule produces (`__init__.py`).
    Empty {
        /// Canonical runfiles path.
        path: String,
    },
}

impl Entry {
    /// The runfiles path.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::File { path, .. } | Self::Link { path, .. } | Self::Empty { path } => path,
        }
    }
}

/// Why a text is not a code manifest. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another kind of file.
    #[error("not a code manifest: the first line must be `{HEADER}`, and the file UTF-8 text")]
    NotAManifest,
    /// From another version of the rules.
    #[error("code manifest format {found} is not understood here (only 1): use rules and program of the same version")]
    UnsupportedFormat {
        /// The number found.
        found: String,
    },
    /// The last line has no end.
    #[error("code manifest is cut off: its last line has no newline; build again")]
    Truncated,
    /// A line of no known form.
    #[error("code manifest line {line}: {reason}: `{text}`")]
    BadLine {
        /// Which.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
        /// The line.
        text: String,
    },
    /// A path that is empty, absolute, or has an empty, `.` or `..` part.
    #[error("code manifest line {line}: `{path}` is not a plain relative path")]
    BadPath {
        /// Which line.
        line: usize,
        /// The path.
        path: String,
    },
    /// Lines out of order would give equal code different digests.
    #[error(
        "code manifest line {line}: `{path}` must come before the line above (paths are sorted bytewise)"
    )]
    NotSorted {
        /// Which line.
        line: usize,
        /// The path.
        path: String,
    },
    /// A path twice.
    #[error("code manifest line {line}: `{path}` is there twice")]
    Duplicate {
        /// Which line.
        line: usize,
        /// The path.
        path: String,
    },
    /// A path below another one that is a file or link.
    #[error("code manifest: `{below}` cannot exist because `{path}` is not a folder")]
    PathClash {
        /// The file or link.
        path: String,
        /// The path below it.
        below: String,
    },
    /// A relative link that leaves the runfiles.
    #[error("code manifest line {line}: the link `{path}` -> `{target}` leaves the runfiles, so the code cannot be captured")]
    LinkEscapes {
        /// Which line.
        line: usize,
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// Nothing to start.
    #[error("code manifest marks no file as the executable")]
    NoExecutable,
    /// More than one thing to start.
    #[error("code manifest marks two files as the executable: `{first}` and `{second}`")]
    TwoExecutables {
        /// One.
        first: String,
        /// Other.
        second: String,
    },
}

impl ManifestError {
    /// Stable name of the kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAManifest => "not_a_manifest",
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::Truncated => "manifest_truncated",
            Self::BadLine { .. } => "bad_manifest_line",
            Self::BadPath { .. } => "bad_runfiles_path",
            Self::NotSorted { .. } => "manifest_not_sorted",
            Self::Duplicate { .. } => "duplicate_runfile",
            Self::PathClash { .. } => "runfile_path_clash",
            Self::LinkEscapes { .. } => "link_escapes",
            Self::NoExecutable => "no_executable",
            Self::TwoExecutables { .. } => "two_executables",
        }
    }
}

/// A checked code manifest with its exact text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeManifest {
    digest: CodeDigest,
    text: String,
    entries: Vec<Entry>,
    executable: usize,
}

impl CodeManifest {
    /// Reads and checks a manifest file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotAManifest)?;
        let first = text.split('\n').next().unwrap_or_default();
        if first != HEADER {
            return Err(match first.strip_prefix(HEADER_NAME) {
                Some(found) => ManifestError::UnsupportedFormat { found: found.to_owned() },
                None => ManifestError::NotAManifest,
            });
        }
        let body = text.strip_suffix('\n').ok_or(ManifestError::Truncated)?;
        let entries = body
            .split('\n')
            .enumerate()
            .skip(1)
            .map(|(index, line)| parse_line(index + 1, line))
            .collect::<Result<Vec<_>, _>>()?;
        Self::checked(entries, text.to_owned())
    }

    /// Makes a manifest of entries in any order.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, ManifestError> {
        entries.sort_by(|a, b| a.path().cmp(b.path()));
        let text = serialize(&entries);
        Self::checked(entries, text)
    }

    fn checked(entries: Vec<Entry>, text: String) -> Result<Self, ManifestError> {
        check_order(&entries)?;
        check_clashes(&entries)?;
        let executable = find_executable(&entries)?;
        let digest = CodeDigest::from_bytes(Sha256::digest(text.as_bytes()).into());
        Ok(Self { digest, text, entries, executable })
    }

    /// What names this code.
    #[must_use]
    pub fn digest(&self) -> CodeDigest {
        self.digest
    }

    /// The manifest file's exact text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Sorted by path.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Runfiles path of the program the job starts.
    #[must_use]
    pub fn executable(&self) -> &str {
        self.entries[self.executable].path()
    }
}

fn parse_line(number: usize, line: &str) -> Result<Entry, ManifestError> {
    let bad = |reason| ManifestError::BadLine { line: number, reason, text: line.to_owned() };
    let (kind, rest) = line
        .split_once(' ')
        .ok_or_else(|| bad("expected `F`, `L` or `E` and fields separated by one blank"))?;
    let entry = match kind {
        "F" => {
            let mut fields = rest.splitn(4, ' ');
            let mut field = || fields.next().ok_or_else(|| bad("expected `F <sha256> <size> <x|-> <path>`"));
            let digest = field()?.parse().map_err(|_| bad("the digest is not 64 lower-case hex digits"))?;
            let size_text = field()?;
            let size: u64 = size_text.parse().map_err(|_| bad("the size is not a number of bytes"))?;
            if size.to_string() != size_text {
                return Err(bad("the size is not a plain decimal number"));
            }
            let executable = match field()? {
                "x" => true,
                "-" => false,
                _ => return Err(bad("the executable mark must be `x` or `-`")),
            };
            Entry::File { path: field()?.to_owned(), digest, size, executable }
        }
        "L" => {
            let (target, path) = rest.split_once(' ').ok_or_else(|| bad("expected `L <target> <path>`"))?;
            let target =
                line_field::decode(target).ok_or_else(|| bad("the link target has a bad percent escape"))?;
            if target.is_empty() || target.contains('\0') {
                return Err(bad("the link target is empty or has a zero byte"));
            }
            Entry::Link { path: path.to_owned(), target }
        }
        "E" => Entry::Empty { path: rest.to_owned() },
        _ => return Err(bad("the line must begin with `F`, `L` or `E`")),
    };
    Ok(entry)
}

fn check_order(entries: &[Entry]) -> Result<(), ManifestError> {
    for (index, entry) in entries.iter().enumerate() {
        // The header is line 1.
        let line = index + 2;
        let path = entry.path().to_owned();
        if !plain_relative(&path) {
            return Err(ManifestError::BadPath { line, path });
        }
        if let Entry::Link { target, .. } = entry {
            if !stays_inside(&path, target) {
                return Err(ManifestError::LinkEscapes { line, path, target: target.clone() });
            }
        }
        if index > 0 {
            match entries[index - 1].path().cmp(entry.path()) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(ManifestError::Duplicate { line, path }),
                std::cmp::Ordering::Greater => return Err(ManifestError::NotSorted { line, path }),
            }
        }
    }
    Ok(())
}

/// A path below a link would be written through the link, to wherever it points.
fn check_clashes(entries: &[Entry]) -> Result<(), ManifestError> {
    let paths: HashSet<&str> = entries.iter().map(Entry::path).collect();
    for entry in entries {
        let mut rest = entry.path();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if paths.contains(parent) {
                return Err(ManifestError::PathClash {
                    path: parent.to_owned(),
                    below: entry.path().to_owned(),
                });
            }
            rest = parent;
        }
    }
    Ok(())
}

fn find_executable(entries: &[Entry]) -> Result<usize, ManifestError> {
    let mut marked =
        entries.iter().enumerate().filter(|(_, entry)| matches!(entry, Entry::File { executable: true, .. }));
    let (index, first) = marked.next().ok_or(ManifestError::NoExecutable)?;
    match marked.next() {
        None => Ok(index),
        Some((_, second)) => Err(ManifestError::TwoExecutables {
            first: first.path().to_owned(),
            second: second.path().to_owned(),
        }),
    }
}

fn plain_relative(path: &str) -> bool {
    !path.contains(['\0', '\n']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether a link resolves inside the runfiles. `..` after a name is refused, because the name may
/// itself be a link and the text alone would not tell where the path ends.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let depth = path.matches('/').count();
    let parts = || target.split('/').filter(|part| !matches!(*part, "" | "."));
    let ups = parts().take_while(|part| *part == "..").count();
    ups <= depth && parts().skip(ups).all(|part| part != "..")
}

fn serialize(entries: &[Entry]) -> String {
    use std::fmt::Write as _;
    let mut out = format!("{HEADER}\n");
    for entry in entries {
        // Writing to a String cannot fail.
        let _ = match entry {
            Entry::File { path, digest, size, executable } => {
                writeln!(out, "F {digest} {size} {} {path}", if *executable { 'x' } else { '-' })
            }
            Entry::Link { path, target } => writeln!(out, "L {} {path}", line_field::encode(target)),
            Entry::Empty { path } => writeln!(out, "E {path}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn text(lines: &str) -> String {
        format!("{HEADER}\n{}", lines.replace("$D", D))
    }

    #[test]
    fn a_manifest_round_trips_and_its_digest_is_that_of_its_bytes() {
        let text = text("F $D 3 - _main/a b.txt\nE _main/lib/__init__.py\nL ../%25%20x _main/lib/link\nF $D 3 x _main/run\nL /usr/bin/python3 _main/venv/python\nF $D 3 - _repo_mapping\n");
        let manifest = CodeManifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.executable(), "_main/run");
        assert_eq!(manifest.entries()[0].path(), "_main/a b.txt");
        assert_eq!(
            manifest.entries()[2],
            Entry::Link { path: "_main/lib/link".to_owned(), target: "../% x".to_owned() }
        );
        let mut shuffled = manifest.entries().to_vec();
        shuffled.reverse();
        assert_eq!(CodeManifest::new(shuffled).unwrap(), manifest);
        assert_eq!(manifest.digest(), CodeDigest::from_bytes(Sha256::digest(text.as_bytes()).into()));
    }

    #[track_caller]
    fn refused(text: &str, code: &str, words: &str) {
        let error = CodeManifest::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn every_defect_is_named_with_its_line() {
        refused("", "not_a_manifest", "first line");
        refused("hello\n", "not_a_manifest", HEADER);
        refused("databuild-code-manifest 2\n", "unsupported_format", "format 2");
        refused(&text("F $D 3 x a"), "manifest_truncated", "cut off");
        refused(&text("X a\n"), "bad_manifest_line", "line 2");
        refused(&text("\n"), "bad_manifest_line", "line 2");
        refused(&text("F $D 3 x\n"), "bad_manifest_line", "expected `F");
        refused(&text("F abc 3 x a\n"), "bad_manifest_line", "digest");
        refused(&text("F $D -3 x a\n"), "bad_manifest_line", "size");
        refused(&text("F $D 03 x a\n"), "bad_manifest_line", "size");
        refused(&text("F $D 3 y a\n"), "bad_manifest_line", "mark");
        refused(&text("L %zz a\n"), "bad_manifest_line", "escape");
        refused(&text("L %00 a\n"), "bad_manifest_line", "zero byte");
        refused(&text("F $D 3 x /a\n"), "bad_runfiles_path", "`/a`");
        refused(&text("F $D 3 x a/../b\n"), "bad_runfiles_path", "line 2");
        refused(&text("F $D 3 x a//b\n"), "bad_runfiles_path", "plain relative");
        refused(&text("F $D 3 x b\nF $D 3 - a\n"), "manifest_not_sorted", "line 3");
        refused(&text("F $D 3 x a\nF $D 3 - a\n"), "duplicate_runfile", "twice");
        refused(&text("L b a\nF $D 3 - a-b\nF $D 3 x a/b\n"), "runfile_path_clash", "`a` is not a folder");
        refused(&text("L ../../x a/l\n"), "link_escapes", "leaves the runfiles");
        refused(&text("L b/../../x a/l\n"), "link_escapes", "`a/l`");
        refused(&text("F $D 3 - a\n"), "no_executable", "no file");
        refused(&text("F $D 3 x a\nF $D 3 x b\n"), "two_executables", "`a` and `b`");
        let mut bytes = text("F $D 3 x a\n").into_bytes();
        bytes.insert(HEADER.len() + 1, 0xff);
        assert_eq!(CodeManifest::parse(&bytes), Err(ManifestError::NotAManifest));
    }
}
