//! Removing what is not needed any more, whatever its modes are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Context as _, PublishError};
use super::folder::Opened;

/// Removes whatever is at `path`; nothing there is fine. Links are removed, not followed. A job may have written
/// folders that even their owner cannot write to; they are opened.
///
/// # Errors
/// It cannot be removed in full; the error names what is in the way.
pub fn remove(path: &Path) -> Result<(), PublishError> {
    let removed = match fs::symlink_metadata(path) {
        // Handles trees that are deeper than a path can be long.
        Ok(meta) if meta.is_dir() => match fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(_) => return remove_tree(path),
        },
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    unless_gone(removed).context("remove", path)
}

/// One entry after the other, so that folders can be opened and an error can say what it is about.
fn remove_tree(root: &Path) -> Result<(), PublishError> {
    enum Step {
        Enter(PathBuf),
        Leave(PathBuf),
    }
    let mut steps = vec![Step::Enter(root.to_owned())];
    while let Some(step) = steps.pop() {
        match step {
            Step::Leave(folder) => unless_gone(fs::remove_dir(&folder)).context("remove", &folder)?,
            Step::Enter(folder) => {
                // It is about to go, so its mode is of no interest.
                drop(Opened::new(&folder));
                steps.push(Step::Leave(folder.clone()));
                let entries = match fs::read_dir(&folder) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    entries => entries.context("list", &folder)?,
                };
                for entry in entries {
                    let entry = entry.context("list", &folder)?;
                    let path = entry.path();
                    if entry.file_type().context("look at", &path)?.is_dir() {
                        steps.push(Step::Enter(path));
                    } else {
                        unless_gone(fs::remove_file(&path)).context("remove", &path)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn unless_gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Folders that are gone, or would be.
    pub removed: u64,
    /// Why others are not.
    pub failed: Vec<String>,
}

impl Swept {
    /// Takes what came of removing a folder into account.
    pub fn add(&mut self, removal: Result<(), PublishError>) {
        match removal {
            Ok(()) => self.removed += 1,
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "what an attempt left cannot be removed");
                self.failed.push(error.to_string());
            }
        }
    }
}
