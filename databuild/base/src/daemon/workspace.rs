//! Which workspace a command is about.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The name of the state folder below the workspace root.
pub const STATE_DIR_NAME: &str = ".databuild";

/// The name of the workspace's file of settings, which stands at its root.
pub const SETTINGS_FILE_NAME: &str = "databuild.toml";

/// The variable by which `bazel run` names the workspace root.
const BAZEL_WORKSPACE_ENV: &str = "BUILD_WORKSPACE_DIRECTORY";

/// A workspace, and where its state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its root folder: absolute, without symbolic links, UTF-8.
    root: PathBuf,
    state_dir: PathBuf,
}

/// Why no workspace was found.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// Neither Bazel nor a parent folder names one.
    #[error(
        "no workspace here: neither {from} nor a folder above it holds MODULE.bazel, \
         {SETTINGS_FILE_NAME} or {STATE_DIR_NAME}; run the command inside a Bazel workspace or through `bazel run`"
    )]
    NotFound {
        /// Where the search began.
        from: PathBuf,
    },
    /// The named folder cannot be used.
    #[error("the workspace folder {path} cannot be used: {source}")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The path is not UTF-8.
    #[error("the workspace path {path:?} is not valid UTF-8; rename the folder")]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
}

impl WorkspaceError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            WorkspaceError::NotFound { .. } => "workspace_not_found",
            WorkspaceError::Unusable { .. } => "workspace_unusable",
            WorkspaceError::NotUtf8 { .. } => "workspace_path_not_utf8",
        }
    }
}

impl Workspace {
    /// The workspace of this process: the one Bazel names, else the nearest one
    /// at or above the current folder.
    pub fn discover() -> Result<Self, WorkspaceError> {
        let cwd = std::env::current_dir()
            .map_err(|source| WorkspaceError::Unusable { path: PathBuf::from("."), source })?;
        Self::discover_from(std::env::var_os(BAZEL_WORKSPACE_ENV).as_deref(), &cwd)
    }

    /// As [`Workspace::discover`], with the value of
    /// `BUILD_WORKSPACE_DIRECTORY` and the current folder given.
    pub fn discover_from(named: Option<&OsStr>, cwd: &Path) -> Result<Self, WorkspaceError> {
        if let Some(named) = named.filter(|n| !n.is_empty()) {
            return Self::at(Path::new(named));
        }
        cwd.ancestors()
            .find(|dir| {
                let files = ["MODULE.bazel", SETTINGS_FILE_NAME];
                dir.join(STATE_DIR_NAME).is_dir() || files.iter().any(|name| dir.join(name).is_file())
            })
            .ok_or_else(|| WorkspaceError::NotFound { from: cwd.to_owned() })
            .and_then(Self::at)
    }

    /// The workspace whose root is `path`.
    pub fn at(path: &Path) -> Result<Self, WorkspaceError> {
        let unusable = |source| WorkspaceError::Unusable { path: path.to_owned(), source };
        let real = path.canonicalize().map_err(unusable)?;
        if !real.is_dir() {
            return Err(unusable(std::io::ErrorKind::NotADirectory.into()));
        }
        if real.to_str().is_none() {
            return Err(WorkspaceError::NotUtf8 { path: real });
        }
        let state_dir = real.join(STATE_DIR_NAME);
        Ok(Workspace { root: real, state_dir })
    }

    /// The same workspace with its state elsewhere.
    #[must_use]
    pub fn with_state_dir(self, state_dir: &Path) -> Self {
        // However somebody wrote the usual place, it is the usual place.
        let real = || Some(state_dir.parent()?.canonicalize().ok()?.join(state_dir.file_name()?));
        Workspace { state_dir: real().unwrap_or_else(|| state_dir.to_owned()), ..self }
    }

    /// The root folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The folder of its state, whether or not it is there.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Whether the state is where it is unless somebody says otherwise.
    pub fn has_usual_state_dir(&self) -> bool {
        self.state_dir == self.root.join(STATE_DIR_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let real = dir.path().canonicalize().expect("real path");
        (dir, real)
    }

    #[test]
    fn the_folder_named_by_bazel_wins() {
        let (_keep, root) = dir();
        std::fs::create_dir_all(root.join("a")).expect("mkdir");
        std::fs::create_dir_all(root.join("b")).expect("mkdir");
        std::fs::write(root.join("b/MODULE.bazel"), "").expect("write");
        let found = Workspace::discover_from(Some(root.join("a").as_os_str()), &root.join("b"));
        assert_eq!(found.expect("found").path(), root.join("a"));
    }

    #[test]
    fn the_nearest_folder_above_with_a_mark_is_the_workspace() {
        for mark in ["MODULE.bazel", SETTINGS_FILE_NAME, STATE_DIR_NAME] {
            let (_keep, root) = dir();
            let deep = root.join("ws/x/y");
            std::fs::create_dir_all(&deep).expect("mkdir");
            std::fs::write(root.join("MODULE.bazel"), "").expect("write");
            match mark {
                STATE_DIR_NAME => std::fs::create_dir(root.join("ws").join(mark)).expect("mkdir"),
                _ => std::fs::write(root.join("ws").join(mark), "").expect("write"),
            }
            let found = Workspace::discover_from(None, &deep).expect("found");
            assert_eq!(found.path(), root.join("ws"), "{mark}");
        }
    }

    #[test]
    fn a_named_folder_that_is_missing_or_a_file_is_an_error() {
        let (_keep, root) = dir();
        std::fs::write(root.join("f"), "").expect("write");
        for name in ["absent", "f"] {
            let error =
                Workspace::discover_from(Some(root.join(name).as_os_str()), &root).expect_err("refused");
            assert_eq!(error.code(), "workspace_unusable");
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_symbolic_link_leads_to_the_real_folder() {
        let (_keep, root) = dir();
        std::fs::create_dir(root.join("real")).expect("mkdir");
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).expect("symlink");
        let found = Workspace::at(&root.join("link")).expect("found");
        assert_eq!(found.path(), root.join("real"));
    }
}
