//! `manifest`: hashes one part of a job's runfiles.
//!
//! The rules split the runfiles into those of the main repository and those of others, so that an edit
//! in the main repository does not re-read every external file. Each action has all files as inputs and
//! names the other part's in `--unused`, which Bazel then leaves out of its change detection.
//!
//! Directives, in Bazel's order of precedence (a later one for the same path wins; `empty` only fills
//! gaps): `file<TAB>RUNFILES PATH<TAB>PATH`, `link` likewise for what is declared as a symbolic link,
//! `empty<TAB>RUNFILES PATH`, `unused<TAB>PATH` for an input that belongs to the other part.

use crate::digest::hash_file;
use crate::error::ToolError;
use crate::manifest::{Entry, Manifest};
use crate::params::{check_path, unknown_directive, write_output, Params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where the content of a runfiles path comes from.
enum Origin<'a> {
    File(&'a str),
    Link(&'a str),
    Empty,
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, named or stored.
pub fn run(params: &Params) -> Result<(), ToolError> {
    let executable = params.required("executable")?;
    let mut origins: BTreeMap<&str, Origin<'_>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    let mut unused = Vec::new();
    let directives: Vec<_> = params.directives().collect();
    for fields in &directives {
        match fields[..] {
            ["file", rpath, path] => {
                used.insert(path);
                origins.insert(rpath, Origin::File(path));
            }
            ["link", rpath, path] => {
                used.insert(path);
                origins.insert(rpath, Origin::Link(path));
            }
            ["empty", rpath] => {
                origins.entry(rpath).or_insert(Origin::Empty);
            }
            ["unused", path] => unused.push(path),
            _ => return Err(unknown_directive(fields)),
        }
    }

    let mut manifest = Manifest::default();
    for (rpath, origin) in origins {
        match origin {
            Origin::Empty => {
                manifest.entries.insert(rpath.to_owned(), Entry::Empty);
            }
            Origin::Link(path) => {
                let entry = link(Path::new(path))?;
                manifest.entries.insert(rpath.to_owned(), entry);
            }
            Origin::File(path) => {
                let mut above = Vec::new();
                add(&mut manifest, rpath.to_owned(), Path::new(path), rpath == executable, &mut above)?;
            }
        }
    }
    if let Some(list) = params.option("unused") {
        // A file of the other part can be the target of a runfiles symlink of this one.
        let lines: String =
            unused.iter().filter(|path| !used.contains(*path)).map(|path| format!("{path}\n")).collect();
        write_output(Path::new(list), lines.as_bytes())?;
    }
    write_output(&params.path("out")?, manifest.render().as_bytes())
}

/// Adds the file, or all files below the directory, at `path`. Links are followed, as a copy of the tree
/// would; one that leads nowhere is kept as a link. `above`: real paths of the directories walked through.
fn add(
    manifest: &mut Manifest,
    rpath: String,
    path: &Path,
    executable: bool,
    above: &mut Vec<PathBuf>,
) -> Result<(), ToolError> {
    check_path(&rpath)?;
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            if !std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
                return Err(ToolError::read(path, error));
            }
            manifest.entries.insert(rpath, link(path)?);
            return Ok(());
        }
    };
    if meta.is_file() {
        manifest.entries.insert(rpath, Entry::File { content: hash_file(path)?, executable });
        return Ok(());
    }
    if !meta.is_dir() {
        return Err(ToolError::SpecialFile(path.to_owned()));
    }
    let real = path.canonicalize().map_err(|source| ToolError::read(path, source))?;
    if above.contains(&real) {
        return Err(ToolError::LinkLoop(path.to_owned()));
    }
    above.push(real);
    for child in std::fs::read_dir(path).map_err(|source| ToolError::read(path, source))? {
        let child = child.map_err(|source| ToolError::read(path, source))?;
        let name = child.file_name();
        let name = name.to_str().ok_or_else(|| ToolError::BadName {
            name: child.path().to_string_lossy().into_owned(),
            why: "is not UTF-8",
        })?;
        add(manifest, format!("{rpath}/{name}"), &child.path(), false, above)?;
    }
    above.pop();
    Ok(())
}

fn link(path: &Path) -> Result<Entry, ToolError> {
    let target = std::fs::read_link(path).map_err(|source| ToolError::read(path, source))?;
    match target.into_os_string().into_string() {
        Ok(target) => Ok(Entry::Link { target }),
        Err(target) => Err(ToolError::BadName {
            name: target.to_string_lossy().into_owned(),
            why: "is a link target that is not UTF-8",
        }),
    }
}
