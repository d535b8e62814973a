//! Copies what an arm of a trial made to a folder where people look at it.
//!
//! It happens before anybody is told of the arm's end, so a crash in between copies again and loses nothing.

use crate::attempt::request::Request;
use databuild_core::event::OutputRecord;
use std::io;
use std::path::{Path, PathBuf};

/// Copies the staged outputs to `folder`, each to the place that it would have in the workspace.
pub(crate) fn keep(
    folder: &Path,
    workspace: &Path,
    request: &Request,
    outputs: &[OutputRecord],
) -> io::Result<()> {
    for output in outputs.iter().filter(|output| !output.empty) {
        let file = request.outputs.iter().find(|file| file.partition == output.partition);
        let Some((staged, place)) = file.and_then(|file| file.path.as_ref().zip(file.final_path.as_ref()))
        else {
            continue;
        };
        copy(staged, &folder.join(relative(place, workspace)))?;
    }
    Ok(())
}

/// What lies outside the workspace keeps its whole path.
fn relative(place: &Path, workspace: &Path) -> PathBuf {
    let inside = place.strip_prefix(workspace).unwrap_or(place);
    inside.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let kind = std::fs::symlink_metadata(from)?.file_type();
    if kind.is_symlink() {
        // What an attempt before copied is made anew.
        let _ = std::fs::remove_file(to);
        return std::os::unix::fs::symlink(std::fs::read_link(from)?, to);
    }
    if !kind.is_dir() {
        return std::fs::copy(from, to).map(drop);
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_trees_are_copied_to_their_places_also_twice() {
        let root = tempfile::tempdir().unwrap();
        let (workspace, staged, kept) =
            (root.path().join("ws"), root.path().join("staged"), root.path().join("kept"));
        std::fs::create_dir_all(staged.join("tree/sub")).unwrap();
        std::fs::write(staged.join("tree/sub/x"), "1").unwrap();
        std::os::unix::fs::symlink("sub/x", staged.join("tree/link")).unwrap();
        std::fs::write(staged.join("a.txt"), "2").unwrap();
        let file = |partition: &str, name: &str, place: PathBuf| {
            serde_json::json!({
                "dataset": partition, "partition": partition, "keys": {}, "path": staged.join(name), "final_path": place,
            })
        };
        let request = serde_json::json!({
            "format": 1, "run": "r1", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z", "inputs": {}, "wants": [],
            "outputs": [
                file("a", "a.txt", workspace.join("out/a.txt")),
                file("tree", "tree", workspace.join("out/tree")),
                file("far", "a.txt", PathBuf::from("/data/far.txt")),
                file("none", "none", workspace.join("out/none")),
            ],
        });
        let request: Request = serde_json::from_value(request).unwrap();
        let output = |partition: &str| OutputRecord {
            partition: partition.to_owned(),
            version: "v".to_owned(),
            empty: partition == "none",
            mark: 0,
            bytes: 0,
            metadata: "{}".to_owned(),
        };
        let outputs = ["a", "tree", "far", "none"].map(output);
        for _ in 0..2 {
            keep(&kept, &workspace, &request, &outputs).unwrap();
        }
        assert_eq!(std::fs::read_to_string(kept.join("out/a.txt")).unwrap(), "2");
        assert_eq!(std::fs::read_to_string(kept.join("out/tree/link")).unwrap(), "1");
        assert_eq!(std::fs::read_to_string(kept.join("data/far.txt")).unwrap(), "2");
        assert!(!kept.join("out/none").exists());
    }
}
