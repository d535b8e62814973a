//! What each registered graph has, and what it changed against the one before. A graph never changes, so both are worked out once.

use super::AppError;
use crate::api::GraphChange;
use crate::store::{GraphRow, History};
use databuild_core::graph::diff::{diff, Change, Difference};
use databuild_core::graph::file::GraphFile;
use databuild_core::graph::parse_file;
use databuild_core::ids::GraphId;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

/// Graphs of which that is remembered.
const REMEMBERED: usize = 10_000;

/// What is known of registered graphs.
#[derive(Debug, Default)]
pub struct Registrations(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Jobs and datasets; none of a graph that this program cannot read any more.
    sizes: BTreeMap<GraphId, Option<(u64, u64)>>,
    /// By base and head.
    changes: BTreeMap<(GraphId, GraphId), Option<GraphChange>>,
}

/// What is told of a registration.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Told {
    /// How many jobs and datasets the graph has.
    pub size: Option<(u64, u64)>,
    /// What it changed.
    pub change: Option<GraphChange>,
}

impl Registrations {
    /// What is told of registrations that come one after the other, newest first; `earlier` is the one before the last of them.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn told(
        &self,
        reader: &dyn History,
        rows: &[GraphRow],
        earlier: Option<&GraphRow>,
    ) -> Result<Vec<Told>, AppError> {
        let mut files = Files { reader, last: Vec::new() };
        let before = rows.iter().skip(1).map(Some).chain([earlier]);
        rows.iter().zip(before).map(|(row, before)| self.one(&mut files, row, before)).collect()
    }

    fn one(&self, files: &mut Files<'_>, head: &GraphRow, base: Option<&GraphRow>) -> Result<Told, AppError> {
        let known = |known: &Known| known.sizes.get(&head.id).copied();
        let size = match self.look(known) {
            Some(size) => size,
            None => {
                let file = files.read(&head.id)?;
                let size = file.map(|file| (file.jobs.len() as u64, file.datasets.len() as u64));
                self.keep(|known| {
                    known.sizes.insert(head.id.clone(), size);
                });
                size
            }
        };
        let Some(base) = base else { return Ok(Told { size, change: None }) };
        let pair = (base.id.clone(), head.id.clone());
        if let Some(change) = self.look(|known| known.changes.get(&pair).cloned()) {
            return Ok(Told { size, change });
        }
        let (of_head, of_base) = (files.read(&head.id)?, files.read(&base.id)?);
        let change = of_base.zip(of_head).map(|(base, head)| counted(&base, &head));
        self.keep(|known| {
            known.changes.insert(pair, change.clone());
        });
        Ok(Told { size, change })
    }

    fn look<T>(&self, look: impl FnOnce(&Known) -> Option<T>) -> Option<T> {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, keep: impl FnOnce(&mut Known)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.sizes.len().max(known.changes.len()) >= REMEMBERED {
            *known = Known::default();
        }
        keep(&mut known);
    }
}

/// Graph files, of which the last two that were read are at hand.
struct Files<'r> {
    reader: &'r dyn History,
    last: Vec<(GraphId, Option<Rc<GraphFile>>)>,
}

impl Files<'_> {
    fn read(&mut self, id: &GraphId) -> Result<Option<Rc<GraphFile>>, AppError> {
        if let Some((_, file)) = self.last.iter().find(|(known, _)| known == id) {
            return Ok(file.clone());
        }
        let content = self.reader.content(&id.0)?.and_then(|bytes| String::from_utf8(bytes).ok());
        let file = content.and_then(|content| parse_file(&content).ok()).map(Rc::new);
        if self.last.len() == 2 {
            self.last.remove(0);
        }
        self.last.push((id.clone(), file.clone()));
        Ok(file)
    }
}

fn counted(base: &GraphFile, head: &GraphFile) -> GraphChange {
    let found = diff(base, head);
    let count = |all: &[Difference], wanted: &[Change]| {
        all.iter().filter(|one| wanted.contains(&one.change)).count() as u64
    };
    let changed = [Change::Changed, Change::Moved];
    GraphChange {
        jobs_added: count(&found.jobs, &[Change::Added]),
        jobs_changed: count(&found.jobs, &changed),
        jobs_removed: count(&found.jobs, &[Change::Removed]),
        datasets_added: count(&found.datasets, &[Change::Added]),
        datasets_changed: count(&found.datasets, &changed),
        datasets_removed: count(&found.datasets, &[Change::Removed]),
        others: (found.checks.len() + found.pools.len() + found.moved.len()) as u64,
    }
}
