//! Which source files changed between two builds of a job, and how it depends on them.
//!
//! The code fingerprint decides that something changed; source manifests, made by an aspect at both
//! builds, explain it. What no source file explains (a tool, a toolchain, a generated file) has no blame
//! and is said so.

use crate::api::Blame;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A source manifest as the rules write it.
#[derive(Debug, Deserialize)]
pub struct SourceManifest {
    label: String,
    files: Vec<SourceFile>,
    edges: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
struct SourceFile {
    path: String,
    owner: String,
    sha256: String,
}

impl SourceManifest {
    /// Parses a manifest; none if it is damaged, which only costs the explanation.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<SourceManifest> {
        serde_json::from_slice(bytes).ok()
    }
}

/// How much a file tells of a change, the most telling first: sources of the workspace, then code of other repositories,
/// such as packages, then what describes a package.
fn rank(path: &str) -> u8 {
    let describes = [".dist-info/", ".egg-info/"].iter().any(|folder| path.contains(folder));
    match (describes, path.starts_with("external/")) {
        (false, false) => 0,
        (false, true) => 1,
        // The version of the package is in it.
        (true, _) if path.ends_with("/METADATA") || path.ends_with("/PKG-INFO") => 2,
        (true, _) => 3,
    }
}

/// Changed files, each with the shortest chain of labels that leads to it. The most telling come first, in path order.
#[must_use]
pub fn blame(then: &SourceManifest, now: &SourceManifest) -> Vec<Blame> {
    let old: BTreeMap<&str, &SourceFile> = then.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let new: BTreeMap<&str, &SourceFile> = now.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut found = Vec::new();
    for (path, file) in &new {
        let change = match old.get(path) {
            None => "added",
            Some(before) if before.sha256 != file.sha256 => "changed",
            Some(_) => continue,
        };
        found.push(entry(file, change, now));
    }
    for (path, file) in &old {
        if !new.contains_key(path) {
            found.push(entry(file, "removed", then));
        }
    }
    found.sort_by(|a, b| (rank(&a.path), &a.path).cmp(&(rank(&b.path), &b.path)));
    found
}

fn entry(file: &SourceFile, change: &str, manifest: &SourceManifest) -> Blame {
    Blame {
        path: file.path.clone(),
        owner: file.owner.clone(),
        change: change.to_owned(),
        via: chain(manifest, &file.owner),
    }
}

/// Breadth first from the job's binary to `owner`.
fn chain(manifest: &SourceManifest, owner: &str) -> Vec<String> {
    let mut edges: HashMap<&str, Vec<&str>> = HashMap::new();
    for (from, to) in &manifest.edges {
        edges.entry(from).or_default().push(to);
    }
    let mut came_from: HashMap<&str, &str> = HashMap::new();
    let mut queue = VecDeque::from([manifest.label.as_str()]);
    while let Some(at) = queue.pop_front() {
        if at == owner {
            let mut path = vec![at.to_owned()];
            let mut step = at;
            while let Some(before) = came_from.get(step) {
                path.push((*before).to_owned());
                step = before;
            }
            path.reverse();
            return path;
        }
        for next in edges.get(at).into_iter().flatten() {
            if *next != manifest.label && !came_from.contains_key(next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    vec![owner.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: &[(&str, &str, &str)]) -> SourceManifest {
        SourceManifest {
            label: "//s:bin".into(),
            files: files
                .iter()
                .map(|(path, owner, sha)| SourceFile {
                    path: (*path).into(),
                    owner: (*owner).into(),
                    sha256: (*sha).into(),
                })
                .collect(),
            edges: vec![
                ("//s:bin".into(), "//s:lib".into()),
                ("//s:lib".into(), "//fx:fx".into()),
                ("//s:bin".into(), "//x:x".into()),
            ],
        }
    }

    #[test]
    fn names_changed_added_and_removed_files_with_their_chain() {
        let then =
            manifest(&[("s/a.py", "//s:bin", "1"), ("fx/r.py", "//fx:fx", "1"), ("x/x.py", "//x:x", "1")]);
        let now =
            manifest(&[("s/a.py", "//s:bin", "1"), ("fx/r.py", "//fx:fx", "2"), ("s/n.py", "//s:lib", "1")]);
        let found: Vec<_> =
            blame(&then, &now).into_iter().map(|b| (b.path, b.change, b.via.join(" -> "))).collect();
        let expected = [
            ("fx/r.py", "changed", "//s:bin -> //s:lib -> //fx:fx"),
            ("s/n.py", "added", "//s:bin -> //s:lib"),
            ("x/x.py", "removed", "//s:bin -> //x:x"),
        ];
        assert_eq!(found, expected.map(|(a, b, c)| (a.into(), b.into(), c.into())));
    }

    #[test]
    fn what_tells_most_comes_first_after_an_upgrade_of_a_package() {
        let package = |version: &str| {
            let info = format!("external/pip_x/site-packages/x-{version}.dist-info");
            [format!("{info}/INSTALLER"), format!("{info}/METADATA"), format!("{info}/RECORD")]
        };
        let files = |version: &str| {
            let sha = version.to_owned();
            let mut paths = package(version).to_vec();
            paths.push("external/pip_x/site-packages/x/core.py".to_owned());
            paths.push("jobs/z.py".to_owned());
            let file = |path| SourceFile { path, owner: "//s:bin".into(), sha256: sha.clone() };
            let files = paths.into_iter().map(file).collect();
            SourceManifest { label: "//s:bin".into(), files, edges: Vec::new() }
        };
        let found: Vec<String> =
            blame(&files("1.0"), &files("1.1")).into_iter().map(|blame| blame.path).collect();
        let mut expected = vec!["jobs/z.py".to_owned(), "external/pip_x/site-packages/x/core.py".to_owned()];
        let ([i0, m0, r0], [i1, m1, r1]) = (package("1.0"), package("1.1"));
        expected.extend([m0, m1, i0, r0, i1, r1]);
        assert_eq!(found, expected);
    }
}
