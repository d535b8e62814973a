//! External data that is the files matching a pattern: which they are, and what they hold together.
//!
//! `*`, `?` and `[abc]` match within a name, `**` any number of folders; neither matches a name that begins with a dot.
//! Links to files count as files. A link to a folder is followed where a name of the pattern matches it, and not by
//! `**`, so that no circle is walked.
//!
//! The hash is the SHA-256 of `databuild-matches 1\n` and then, for each file sorted by the bytes of its path below the
//! pattern's first folders without wildcards: the path's length in bytes (8 bytes, little-endian), the path, and the
//! SHA-256 of its content.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use databuild_core::observation::Look;
use glob::{MatchOptions, Pattern};
use sha2::{Digest as _, Sha256};

use super::error::{Context as _, PublishError};
use super::hash::ContentHash;
use super::inspect::{hash_file, update_counted, BUFFER, TRIES};
use super::mark::{imprint_of_files, settle, Imprint, StatMark};
use super::walk::{leads_nowhere, Stat};

/// Most files of one partition; a job's request names each of them.
pub const MOST_MATCHES: usize = 10_000;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files that match a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// The folder that their names in the version are relative to.
    pub base: PathBuf,
    /// They, sorted by their paths.
    pub paths: Vec<PathBuf>,
    /// Equal to that of a look as long as the same files are untouched.
    pub mark: StatMark,
    /// What to hold `paths` against later ([`super::files_since`]).
    pub imprint: Imprint,
}

/// A pattern that can be matched.
struct Walk {
    /// Its folders without wildcards.
    base: PathBuf,
    rest: Vec<Segment>,
}

enum Segment {
    Name(String),
    Like(Pattern),
    /// `**`
    Folders,
}

impl Walk {
    fn of(workspace: &Path, pattern: &str) -> Result<Walk, PublishError> {
        let mut base = if pattern.starts_with('/') { PathBuf::from("/") } else { workspace.to_owned() };
        let mut rest = Vec::new();
        for text in pattern.split('/').filter(|text| !text.is_empty()) {
            rest.push(if text == "**" {
                Segment::Folders
            } else if text.contains(['*', '?', '[']) {
                let bad = |error: glob::PatternError| PublishError::BadPattern {
                    pattern: pattern.to_owned(),
                    problem: error.msg,
                };
                Segment::Like(Pattern::new(text).map_err(bad)?)
            } else if rest.is_empty() {
                base.push(text);
                continue;
            } else {
                Segment::Name(text.to_owned())
            });
        }
        if rest.is_empty() {
            // A plain file; what it is called below its folder is its name.
            let name = base.file_name().map(|name| name.to_string_lossy().into_owned());
            base.pop();
            rest.extend(name.map(Segment::Name));
        }
        Ok(Walk { base, rest })
    }

    /// All matching files below the base, in order, with their inodes.
    fn files(&self) -> Result<Vec<(PathBuf, Stat)>, PublishError> {
        let mut found = Vec::new();
        self.expand(&PathBuf::new(), &self.rest, &mut found)?;
        found.sort_unstable_by(|(a, _), (b, _)| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
        // Two `**` meet the same folder twice.
        found.dedup_by(|(a, _), (b, _)| a == b);
        Ok(found)
    }

    fn expand(
        &self,
        at: &Path,
        segments: &[Segment],
        found: &mut Vec<(PathBuf, Stat)>,
    ) -> Result<(), PublishError> {
        let Some((first, rest)) = segments.split_first() else {
            return self.take(at, found);
        };
        match first {
            Segment::Name(name) => self.expand(&at.join(name), rest, found),
            Segment::Like(pattern) => {
                for (name, _) in self.list(at)? {
                    if pattern.matches_with(&name.to_string_lossy(), OPTIONS) {
                        self.expand(&at.join(name), rest, found)?;
                    }
                }
                Ok(())
            }
            Segment::Folders => {
                self.expand(at, rest, found)?;
                for (name, kind) in self.list(at)? {
                    if kind.is_dir() && !name.as_bytes().starts_with(b".") {
                        self.expand(&at.join(name), segments, found)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Names in a folder; none if it is no folder. A folder that may not be read is an error: nobody knows what is in it.
    fn list(&self, at: &Path) -> Result<Vec<(std::ffi::OsString, fs::FileType)>, PublishError> {
        let dir = self.base.join(at);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if leads_nowhere(&error) => return Ok(Vec::new()),
            Err(error) => return Err(PublishError::io("list", &dir, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.context("list", &dir)?;
            names.push((entry.file_name(), entry.file_type().context("look at", &entry.path())?));
        }
        Ok(names)
    }

    /// Keeps what is a file.
    fn take(&self, at: &Path, found: &mut Vec<(PathBuf, Stat)>) -> Result<(), PublishError> {
        let path = self.base.join(at);
        match fs::metadata(&path) {
            Ok(meta) if !meta.is_file() => {}
            Ok(_) if path.to_str().is_none() => return Err(PublishError::NotText { path }),
            Ok(_) if found.len() >= MOST_MATCHES => {
                return Err(PublishError::TooManyMatches { path, most: MOST_MATCHES })
            }
            Ok(meta) => found.push((at.to_owned(), Stat::of(&meta))),
            Err(error) if leads_nowhere(&error) => {}
            Err(error) => return Err(PublishError::io("look at", &path, error)),
        }
        Ok(())
    }
}

/// The files that match a pattern; a relative pattern is of the workspace.
///
/// # Errors
/// They cannot be listed, are too many, or have names that cannot be told to a job.
pub fn matching(workspace: &Path, pattern: &str) -> Result<Matching, PublishError> {
    let walk = Walk::of(workspace, pattern)?;
    let files = walk.files()?;
    let mark = StatMark::of_files(&files);
    let whole: Vec<_> = files.into_iter().map(|(path, stat)| (walk.base.join(path), stat)).collect();
    let paths = whole.iter().map(|(path, _)| path.clone()).collect();
    let imprint = imprint_of_files(&walk.base, whole);
    Ok(Matching { base: walk.base, paths, mark, imprint })
}

/// The version of these files below a folder, which once matched a pattern.
///
/// # Errors
/// They cannot be read, or somebody writes to them.
pub fn version_of_files(base: &Path, paths: &[PathBuf]) -> Result<String, PublishError> {
    let file = |path: &PathBuf| {
        let stat = Stat::of(&fs::metadata(path).context("look at", path)?);
        Ok((path.strip_prefix(base).unwrap_or(path).to_owned(), stat))
    };
    let files = paths.iter().map(file).collect::<Result<Vec<_>, PublishError>>()?;
    hash_files(base, &files)
}

fn hash_files(base: &Path, files: &[(PathBuf, Stat)]) -> Result<String, PublishError> {
    let mut hasher = Sha256::new_with_prefix(b"databuild-matches 1\n");
    let mut buffer = vec![0; BUFFER];
    for (relative, stat) in files {
        let sha256 = hash_file(&base.join(relative), *stat, true, &mut buffer, &AtomicBool::new(false))?;
        update_counted(&mut hasher, relative.as_os_str().as_bytes());
        hasher.update(sha256);
    }
    Ok(ContentHash::from_sha256(hasher.finalize().into()).to_string())
}

/// What a look at the files that match a pattern says. They are read unless `known` is their mark.
#[must_use]
pub fn look_matching(workspace: &Path, pattern: &str, known: Option<StatMark>) -> Look {
    let mut found = look_once(workspace, pattern, known);
    for _ in 1..TRIES {
        if !matches!(found, Err(PublishError::StillChanging { .. })) {
            break;
        }
        found = look_once(workspace, pattern, known);
    }
    found.unwrap_or_else(|error| Look::Unknown(error.into()))
}

fn look_once(workspace: &Path, pattern: &str, known: Option<StatMark>) -> Result<Look, PublishError> {
    let walk = Walk::of(workspace, pattern)?;
    let files = walk.files()?;
    if files.is_empty() {
        return Ok(Look::Absent);
    }
    let mark = StatMark::of_files(&files);
    if known == Some(mark) {
        return Ok(Look::Untouched);
    }
    settle(&walk.base, files.iter().map(|(_, stat)| *stat));
    let version = hash_files(&walk.base, &files)?;
    Ok(Look::Present { version, mark: mark.0, bytes: files.iter().map(|(_, stat)| stat.size).sum() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt as _};

    struct Place(tempfile::TempDir);

    impl Place {
        fn with(files: &[&str]) -> Place {
            let place = Place(tempfile::tempdir().unwrap());
            files.iter().for_each(|file| place.write(file, file));
            place
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn find(&self, pattern: &str) -> Vec<String> {
            let found = matching(self.0.path(), pattern).unwrap().paths;
            let relative = |path: &PathBuf| path.strip_prefix(self.0.path()).unwrap().display().to_string();
            found.iter().map(relative).collect()
        }

        fn content(&self, pattern: &str, known: Option<StatMark>) -> Look {
            look_matching(self.0.path(), pattern, known)
        }

        fn hash_and_mark(&self, pattern: &str) -> (String, StatMark) {
            match self.content(pattern, None) {
                Look::Present { version, mark, .. } => (version, StatMark(mark)),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn patterns_match_files_within_names_and_over_folders() {
        let place = Place::with(&[
            "a/1.csv",
            "a/2.csv",
            "a/2.txt",
            "a/b/3.csv",
            "a/b/c/4.csv",
            "a/.hidden.csv",
            "a/.git/5.csv",
            "[x]/6.csv",
        ]);
        for (pattern, expected) in [
            ("a/*.csv", "a/1.csv a/2.csv"),
            ("a/2.csv", "a/2.csv"),
            ("a/[!1].csv", "a/2.csv"),
            ("a/?.txt", "a/2.txt"),
            ("a/*/*.csv", "a/b/3.csv"),
            ("a/**/*.csv", "a/1.csv a/2.csv a/b/3.csv a/b/c/4.csv"),
            ("**/c/**/*.csv", "a/b/c/4.csv"),
            ("*/b/3.csv", "a/b/3.csv"),
            ("[[]x[]]/*", "[x]/6.csv"),
            ("a/*", "a/1.csv a/2.csv a/2.txt"),
            ("a/.hidden.csv", "a/.hidden.csv"),
            ("b/*", ""),
            ("a/1.csv/*", ""),
            ("a/b", ""),
        ] {
            assert_eq!(place.find(pattern).join(" "), expected, "{pattern}");
        }
        let absolute = place.at("a/*.txt").display().to_string();
        assert_eq!(place.find(&absolute), ["a/2.txt"]);
    }

    #[test]
    fn links_to_files_count_and_circles_do_not_turn() {
        let place = Place::with(&["far/data.csv", "a/1.csv"]);
        symlink(place.at("far/data.csv"), place.at("a/link.csv")).unwrap();
        symlink(place.at("far"), place.at("a/folder")).unwrap();
        symlink("..", place.at("a/up")).unwrap();
        symlink("self.csv", place.at("a/self.csv")).unwrap();
        symlink("nowhere", place.at("a/dangling.csv")).unwrap();
        assert_eq!(place.find("a/*.csv"), ["a/1.csv", "a/link.csv"]);
        assert_eq!(place.find("a/**/*.csv"), ["a/1.csv", "a/link.csv"]);
        assert_eq!(place.find("a/folder/*.csv"), ["a/folder/data.csv"]);
    }

    #[test]
    fn the_hash_is_of_paths_and_contents_and_is_pinned_because_it_is_stored() {
        let place = Place::with(&["in/oslo/1.csv", "in/oslo/2.csv", "in/rome/1.csv"]);
        let (hash, mark) = place.hash_and_mark("in/oslo/*.csv");
        assert_eq!(hash, "sha256:d6a56243c97e683f759696342a3219a497726267a22dafba7d92e489059b3a33");
        assert_eq!(place.content("in/oslo/*.csv", Some(mark)), Look::Untouched);
        // The same again, moved as a whole: the same data, and other inodes.
        fs::create_dir(place.at("other")).unwrap();
        fs::rename(place.at("in/oslo"), place.at("other/oslo")).unwrap();
        assert_eq!(place.hash_and_mark("other/oslo/*.csv").0, hash);
        fs::rename(place.at("other/oslo/2.csv"), place.at("other/oslo/3.csv")).unwrap();
        assert_ne!(place.hash_and_mark("other/oslo/*.csv").0, hash);
        place.write("other/oslo/2.csv", "in/oslo/2.csv");
        fs::remove_file(place.at("other/oslo/3.csv")).unwrap();
        assert_eq!(place.hash_and_mark("other/oslo/*.csv").0, hash);
        place.write("other/oslo/2.csv", "changed");
        let (changed, mark) = place.hash_and_mark("other/oslo/*.csv");
        assert_ne!(changed, hash);
        fs::remove_file(place.at("other/oslo/1.csv")).unwrap();
        assert!(matches!(place.content("other/oslo/*.csv", Some(mark)), Look::Present { .. }));
        fs::remove_file(place.at("other/oslo/2.csv")).unwrap();
        assert_eq!(place.content("other/oslo/*.csv", Some(mark)), Look::Absent);
    }

    #[test]
    fn an_unchanged_look_reads_no_file() {
        let place = Place::with(&["in/1.csv"]);
        fs::set_permissions(place.at("in/1.csv"), fs::Permissions::from_mode(0o000)).unwrap();
        let mark = matching(place.0.path(), "in/*").unwrap().mark;
        assert_eq!(place.content("in/*", Some(mark)), Look::Untouched);
    }

    #[test]
    fn what_cannot_be_told_to_a_job_is_an_error() {
        use std::os::unix::ffi::OsStrExt as _;
        let place = Place::with(&["in/1.csv"]);
        fs::write(place.at("in").join(std::ffi::OsStr::from_bytes(b"\xff.csv")), "x").unwrap();
        let error = matching(place.0.path(), "in/*").unwrap_err();
        assert_eq!(error.code(), "match_not_text");
        let error = matching(place.0.path(), "in/[").unwrap_err();
        assert_eq!(error.code(), "bad_pattern");
        for number in 0..=MOST_MATCHES {
            fs::write(place.at("in").join(format!("{number}.txt")), "").unwrap();
        }
        let error = matching(place.0.path(), "in/*.txt").unwrap_err();
        assert_eq!(error.code(), "too_many_matches");
    }
}
