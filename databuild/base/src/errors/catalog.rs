//! All codes, in files by what they are about.

mod graphs;
mod requests;
mod runs;
mod workspaces;

use super::Entry;
use std::sync::LazyLock;

static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let parts = [graphs::ENTRIES, requests::ENTRIES, runs::ENTRIES, workspaces::ENTRIES];
    let mut all = parts.concat();
    all.sort_by_key(|entry| entry.code);
    all
});

/// All codes that users meet, sorted.
#[must_use]
pub fn all() -> &'static [Entry] {
    &ALL
}
