//! What several test programs share: graphs from a few lines, a small workspace, random choices.

// Each test program uses a part of this.
#![allow(dead_code)]

pub mod graphs;
pub mod rng;
pub mod workspace;

use databuild_core::decide::{impact, under, Impact, Sightings};
use databuild_core::event::GraphRegistered;
use databuild_core::state::State;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What another graph would make stale, by what was seen before.
pub fn impact_of(state: &State, head: GraphRegistered, now: Timestamp) -> BTreeMap<String, Impact> {
    impact(state, under(state, head, now).unwrap(), Sightings::default(), now)
}

/// A file of the repository, by its path there: beside the sources under Cargo, in the runfiles under
/// Bazel.
pub fn repository_file(path: &str) -> PathBuf {
    let mut tried = Vec::new();
    if let Some(manifest) = option_env!("CARGO_MANIFEST_DIR") {
        tried.push(PathBuf::from(manifest).join("../..").join(path));
    }
    for variable in ["RUNFILES_DIR", "TEST_SRCDIR"] {
        if let Some(root) = std::env::var_os(variable) {
            tried.push(PathBuf::from(root).join("_main").join(path));
        }
    }
    tried
        .iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("`{path}` is in none of {tried:?}; is it data of this test?"))
        .clone()
}
