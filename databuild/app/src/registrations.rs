//! Who registered each graph, what it has, and what it changed against the one before. None of that ever changes, so it is found
//! out once: the event of a registration brings the whole graph along.

use super::AppError;
use crate::api::GraphChange;
use crate::store::{GraphRow, History, StoreError};
use databuild_core::graph::diff::{diff, Change, Difference};
use databuild_core::graph::file::GraphFile;
use databuild_core::graph::parse_file;
use databuild_core::ids::{GraphId, Seq};
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
    /// By registration; none of what DataBuild registered by itself.
    by: BTreeMap<Seq, Option<String>>,
}

/// What is told of a registration.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Told {
    /// How many jobs and datasets the graph has.
    pub size: Option<(u64, u64)>,
    /// What it changed.
    pub change: Option<GraphChange>,
    /// Who registered it, if that is known.
    pub by: Option<String>,
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
        let mut files = Files::of(reader);
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
        let by = self.by(files.reader, head.seq)?;
        let Some(base) = base else { return Ok(Told { size, change: None, by }) };
        let pair = (base.id.clone(), head.id.clone());
        if let Some(change) = self.look(|known| known.changes.get(&pair).cloned()) {
            return Ok(Told { size, change, by });
        }
        let (of_head, of_base) = (files.read(&head.id)?, files.read(&base.id)?);
        let change = of_base.zip(of_head).map(|(base, head)| counted(&base, &head));
        self.keep(|known| {
            known.changes.insert(pair, change.clone());
        });
        Ok(Told { size, change, by })
    }

    fn by(&self, reader: &dyn History, registration: Seq) -> Result<Option<String>, AppError> {
        if let Some(by) = self.look(|known| known.by.get(&registration).cloned()) {
            return Ok(by);
        }
        let by = match reader.event(registration) {
            Ok(found) => found.value.and_then(|record| record.origin.actor.name().map(str::to_owned)),
            // The archive may come back.
            Err(StoreError::ArchiveMissing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.keep(|known| {
            known.by.insert(registration, by.clone());
        });
        Ok(by)
    }

    fn look<T>(&self, look: impl FnOnce(&Known) -> Option<T>) -> Option<T> {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, keep: impl FnOnce(&mut Known)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = known.sizes.len().max(known.changes.len()).max(known.by.len());
        if most >= REMEMBERED {
            *known = Known::default();
        }
        keep(&mut known);
    }
}

/// Graph files, of which the last two that were read are at hand.
pub(super) struct Files<'r> {
    reader: &'r dyn History,
    last: Vec<(GraphId, Option<Rc<GraphFile>>)>,
}

impl<'r> Files<'r> {
    /// Those that a history has.
    pub(super) fn of(reader: &'r dyn History) -> Files<'r> {
        Files { reader, last: Vec::new() }
    }

    /// A graph file that was registered; none if this program cannot read it any more.
    pub(super) fn read(&mut self, id: &GraphId) -> Result<Option<Rc<GraphFile>>, AppError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, EventLog as _, MemoryLog};
    use databuild_core::event::{Actor, Event, GraphRegistered, Origin, Record};
    use jiff::Timestamp;

    #[test]
    fn what_was_told_of_a_registration_is_told_again_without_reading_it() {
        let content = r#"{"format":2,"label":"//:g","datasets":[],"jobs":[]}"#;
        let event = Event::GraphRegistered(GraphRegistered {
            graph: GraphId::of(content),
            content: content.into(),
            inherited: BTreeMap::new(),
            sources: BTreeMap::new(),
        });
        let by = |name: &str| Origin { actor: Actor::Person(name.into()), cause: None };
        let record = |name| Record { at: Timestamp::UNIX_EPOCH, origin: by(name), event: event.clone() };
        let mut log = MemoryLog::new();
        let records = vec![record("ada"), record("grace")];
        log.append(&Batch { records, ..Batch::default() }).unwrap();
        let rows = log.graphs(None, 2).unwrap().value;

        let registrations = Registrations::default();
        let told = registrations.told(&log, &rows, None).unwrap();
        let by: Vec<_> = told.iter().map(|told| told.by.as_deref()).collect();
        assert_eq!(by, [Some("grace"), Some("ada")]);
        assert_eq!(told[0].size, Some((0, 0)));
        assert_eq!(registrations.told(&MemoryLog::new(), &rows, None).unwrap(), told);
    }
}
