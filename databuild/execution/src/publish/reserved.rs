//! Places where no output may be.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{openat2, Mode, OFlags, ResolveFlags, CWD};
use rustix::io::Errno;

use super::error::PublishError;

/// What of a workspace belongs to DataBuild, Git and Bazel.
///
/// The graph check refuses what templates say. This looks at what links in the folders above make of a path,
/// and at keys that nobody knew when the graph was checked.
#[derive(Debug, Clone)]
pub struct Reserved {
    workspace: PathBuf,
    state: PathBuf,
    git: PathBuf,
}

impl Reserved {
    /// Of the workspace at `workspace` whose state folder is `state`.
    #[must_use]
    pub fn new(workspace: &Path, state: &Path) -> Reserved {
        let real = |path: PathBuf| fs::canonicalize(&path).unwrap_or(path);
        let workspace = real(workspace.to_owned());
        Reserved { state: real(state.to_owned()), git: real(workspace.join(".git")), workspace }
    }

    /// Refuses final paths of outputs if one is inside of what is reserved, or has that inside. Fastest when paths of one
    /// folder stand together.
    ///
    /// # Errors
    /// [`PublishError::Reserved`] of the first.
    pub fn check<'p>(&self, places: impl IntoIterator<Item = &'p Path>) -> Result<(), PublishError> {
        let mut last: Option<(&Path, PathBuf)> = None;
        for place in places {
            let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
                return Err(refusal(place, &self.workspace));
            };
            let real = match last.take() {
                Some((same, real)) if same == folder => real,
                _ => resolved(folder),
            };
            self.check_one(place, &real.join(name))?;
            last = Some((folder, real));
        }
        Ok(())
    }

    fn check_one(&self, place: &Path, real: &Path) -> Result<(), PublishError> {
        let within = [&self.state, &self.git].into_iter().find(|reserved| real.starts_with(reserved));
        let around = [&self.workspace, &self.state].into_iter().find(|reserved| reserved.starts_with(real));
        if let Some(reserved) = within.or(around) {
            return Err(refusal(place, reserved));
        }
        // Bazel's links lead to folders that `bazel clean` empties.
        let top = place.strip_prefix(&self.workspace).ok().and_then(|below| below.iter().next());
        match top.filter(|top| top.as_bytes().starts_with(b"bazel-")).map(|top| self.workspace.join(top)) {
            Some(link) if link.is_symlink() => Err(refusal(place, &link)),
            _ => Ok(()),
        }
    }
}

fn refusal(place: &Path, reserved: &Path) -> PublishError {
    PublishError::Reserved { path: place.to_owned(), reserved: reserved.to_owned() }
}

/// The folder with all links on the way followed, as far as it is there.
#[must_use]
pub fn resolved(folder: &Path) -> PathBuf {
    let mut below = Vec::new();
    let mut above = Some(folder);
    while let Some(at) = above {
        if let Some(real) = real(at) {
            return below.iter().rev().fold(real, |path, name| path.join(name));
        }
        below.extend(at.file_name());
        above = at.parent();
    }
    folder.to_owned()
}

/// The same of one that is there.
fn real(folder: &Path) -> Option<PathBuf> {
    // Mostly there are no links on the way, which one call can tell.
    let plain = folder.is_absolute() && folder.components().all(|part| part != Component::ParentDir);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(_) if plain => Some(folder.to_owned()),
        Err(Errno::NOENT) => None,
        _ => fs::canonicalize(folder).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_is_published_into_what_is_reserved_or_over_it() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let ws = root.join("a/ws");
        fs::create_dir_all(ws.join(".databuild/staging")).unwrap();
        fs::create_dir_all(ws.join(".git/hooks")).unwrap();
        fs::create_dir_all(root.join("output base")).unwrap();
        fs::create_dir(ws.join("out")).unwrap();
        fs::create_dir(ws.join("bazel-notes")).unwrap();
        symlink(".databuild", ws.join("state")).unwrap();
        symlink("../.databuild/staging", ws.join("out/below")).unwrap();
        symlink(root.join("output base"), ws.join("bazel-out")).unwrap();
        symlink(&root, ws.join("up")).unwrap();
        symlink(".databuild", ws.join("out/replaced")).unwrap();
        let reserved = Reserved::new(&ws, &ws.join(".databuild"));
        for (place, good) in [
            ("out/x", true),
            ("out/new/x", true),
            ("out/replaced", true),
            ("bazel-notes/x", true),
            (".databuild-notes/x", true),
            (".gitignore", true),
            ("up/x", true),
            (".databuild", false),
            (".databuild/server.json", false),
            (".databuild/new/x", false),
            ("state/server.json", false),
            ("state/new/x", false),
            ("out/below/x", false),
            (".git", false),
            (".git/hooks/pre-commit", false),
            ("bazel-out/x", false),
            ("bazel-out", false),
            ("up/a", false),
            ("up/a/ws", false),
        ] {
            let result = reserved.check([&*ws.join(place)]);
            assert_eq!(result.is_ok(), good, "{place}");
        }
        let error =
            reserved.check([&*ws.join("out/x"), &*ws.join("out/y"), &*ws.join("state/x")]).unwrap_err();
        assert_eq!(error.code(), "output_reserved");
        assert!(error.to_string().contains("a/ws/.databuild"), "{error}");
        assert!(reserved.check([Path::new("/")]).is_err());
    }
}
