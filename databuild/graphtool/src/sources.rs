//! `sources`: the source manifest, which explains a changed fingerprint.
//!
//! It lists the source files that the aspect saw, with the target that names each, and the label edges
//! between targets. The fingerprint decides *whether* something changed; this says *what*, also for
//! compiled jobs, where the fingerprint only sees a binary.
//!
//! Directives: `file<TAB>OWNER<TAB>PATH`, `edge<TAB>FROM<TAB>TO`.

use crate::digest::hash_file;
use crate::error::ToolError;
use crate::params::{unknown_directive, write_output, Params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The format number of source manifests.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct SourceManifest<'a> {
    format: u32,
    label: &'a str,
    files: Vec<SourceFile<'a>>,
    edges: BTreeSet<(&'a str, &'a str)>,
}

#[derive(Serialize)]
struct SourceFile<'a> {
    path: &'a str,
    owner: &'a str,
    sha256: &'a str,
}

/// Runs the command.
///
/// # Errors
/// A source file that cannot be read.
pub fn run(params: &Params) -> Result<(), ToolError> {
    let mut owned = BTreeSet::new();
    let mut edges = BTreeSet::new();
    let directives: Vec<_> = params.directives().collect();
    for fields in &directives {
        match fields[..] {
            ["file", owner, path] => {
                owned.insert((path, owner));
            }
            ["edge", from, to] => {
                edges.insert((from, to));
            }
            _ => return Err(unknown_directive(fields)),
        }
    }
    let mut hashes = BTreeMap::new();
    for (path, _) in &owned {
        // A source directory has no content of its own that Bazel would track.
        if !hashes.contains_key(path) && !Path::new(path).is_dir() {
            hashes.insert(*path, hash_file(Path::new(path))?.sha256);
        }
    }
    let files = owned
        .iter()
        .filter_map(|(path, owner)| Some(SourceFile { path, owner, sha256: hashes.get(path)? }))
        .collect();
    let manifest = SourceManifest { format: FORMAT, label: params.required("label")?, files, edges };
    let mut text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| ToolError::Usage(format!("the source manifest cannot be written: {error}")))?;
    text.push('\n');
    write_output(&params.path("out")?, text.as_bytes())
}
