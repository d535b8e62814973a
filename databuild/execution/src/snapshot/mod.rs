//! Code snapshots: the exact bytes a job runs, kept outside Bazel's reach.
//!
//! Bazel's outputs change under a long-lived server: a failing build deletes them, `bazel clean`
//! removes them, and sources are symlinks to files being edited. So the client copies each job's
//! executable and runfiles into a content-addressed [`Store`] right after the build, verifying every
//! byte against the build's [`CodeManifest`].
//!
//! Layout below the store's root, which all workspaces of a user share:
//!
//! ```text
//! cas/<2 hex>/<sha256>             one read-only file (0555) per distinct content
//! snap/<code digest>/manifest      the manifest that names this snapshot
//! snap/<code digest>/runfiles/…    hard links into the CAS, links, empty files
//! bin/<sha256>/<name>              copies of DataBuild's own executable
//! bin/index/<identity>             which copy belongs to a file already hashed (a cache)
//! roots/<workspace id>.json        what each workspace still needs
//! tmp/                             work in progress; garbage whenever nobody holds the lock
//! lock                             shared by writers, exclusive for the collector
//! ```
//!
//! Invariants:
//! - A snapshot is a function of its manifest alone: same digest, same tree. Therefore every captured
//!   file is executable, as under remote execution: mode bits are in no digest, and a helper program
//!   among the runfiles has to stay runnable.
//! - `snap/<digest>` and `cas/…` entries appear complete (renamed from `tmp/`) or not at all, and
//!   their bytes are on disk before they appear.
//! - Whoever runs code asks with [`Store::intact`] before and after: a job can write to what it runs from, and
//!   what was made by changed code is not recorded under the digest of the code that was stored.
//! - Only a process that never forks (the client) writes executables here: a descriptor open for
//!   writing that leaks through another thread's fork makes the next exec fail with `ETXTBSY`.

mod binary;
mod copy;
mod digest;
mod error;
mod gc;
mod intact;
mod lock;
mod manifest;
mod materialize;
mod roots;
mod store;

pub use digest::{BadDigest, CodeDigest, FileDigest};
pub use error::SnapshotError;
pub use gc::GcReport;
pub use manifest::{CodeManifest, Entry, ManifestError};
pub use roots::{Roots, WorkspaceId};
pub use store::{SnapshotRef, Store};

#[cfg(test)]
mod tests;
