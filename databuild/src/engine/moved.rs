//! Whether what an attempt has read was changed while it ran: it is held against what its request says of it.
//!
//! A file counts as changed if its mark is another one, also if it has the same content again: nobody can say what the
//! job has read in between. Of what others have to be asked about only the version can be compared; an answer that is
//! younger than the `every` of its dataset is believed.

use super::examiner::EndedAttempt;
use super::orchestrator::Message;
use super::request::{parse_request, InputFile, Request};
use super::starter::{is_remote, Starter};
use crate::publish::{self, FileState, StatMark};
use crate::runner::{AttemptFiles, AttemptName};
use databuild_core::decide::{AttemptReport, Input, Sighting};
use databuild_core::digest::hash64;
use databuild_core::event::AttemptOutcome;
use databuild_core::graph::DatasetIx;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::Arc;

/// Files among the inputs of a request that are not as they were when it was written.
pub(super) fn moved_files(request: &Request) -> Vec<&InputFile> {
    let mut moved = Vec::new();
    let mut marked: Vec<(&InputFile, (PathBuf, StatMark))> = Vec::new();
    for file in request.inputs.values().flatten().chain(&request.discovered).filter(|file| !file.empty) {
        match (file.mark(), &file.path, &file.paths) {
            (Some(mark), Some(path), _) => marked.push((file, (path.clone(), mark))),
            (Some(mark), None, Some(paths)) if matches!(publish::files_mark(paths), Ok(Some(now)) if now == mark) =>
                {}
            (Some(_), None, Some(_)) => moved.push(file),
            // A request of an older version has no marks.
            _ if file.vanished() => moved.push(file),
            _ => {}
        }
    }
    let (files, items): (Vec<_>, Vec<_>) = marked.into_iter().unzip();
    let states = publish::check_files(&items, 1);
    moved.extend(
        files.into_iter().zip(states).filter(|(_, state)| *state != FileState::Same).map(|(file, _)| file),
    );
    moved
}

/// What to say of an attempt whose inputs moved.
pub(super) fn report(first: &str, more: usize) -> AttemptReport {
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    AttemptReport::new(
        AttemptOutcome::InputsMoved,
        format!("its input {first}{more} was changed while it ran"),
    )
}

/// Asks what the inputs are now that others have to be asked about, and passes the attempt on to be examined.
pub(super) fn ask(
    starter: &Starter,
    mut ended: EndedAttempt,
    to_loop: &Sender<Message>,
    examine: &Sender<EndedAttempt>,
) {
    if !ended.exit.canceled {
        ended.asked = asked(starter, &ended, to_loop);
    }
    // A closed examiner means that the engine is going down; the runner tells again.
    let _ = examine.send(ended);
}

fn asked(starter: &Starter, ended: &EndedAttempt, to_loop: &Sender<Message>) -> Option<AttemptReport> {
    let state: Arc<State> = Arc::clone(&starter.shared.snapshot.load_full().state);
    let name = AttemptName::new(ended.attempt.to_string()).ok()?;
    // What cannot be read back the examiner tells.
    let request = std::fs::read(AttemptFiles::new(&starter.spool, &name).request()).ok()?;
    let request = parse_request(&request).ok()?;
    let graph = &state.runs.get(&ended.attempt.run)?.graph;
    let mut files: BTreeMap<(DatasetIx, PartitionKey), &InputFile> = BTreeMap::new();
    let mut sets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for file in request.inputs.values().flatten().chain(&request.discovered) {
        let Some((ix, key)) = graph.graph.locate(&file.partition, &state.symbols) else { continue };
        let Some(now) = state.same_place(graph, ix).filter(|_| is_remote(&graph.graph, ix)) else { continue };
        let shape = state.graph().dataset(now).shape;
        sets.entry(now).or_insert_with(|| PartitionSet::empty(shape)).insert(&key);
        files.insert((now, key), file);
    }
    let sets: Vec<_> = sets.into_iter().collect();
    let look = starter.observers.look(&state, &sets, false);
    let mut moved: Vec<&str> = Vec::new();
    for ((ix, key), file) in &files {
        let seen = look.seen.iter().find_map(|sighting| match sighting {
            Sighting::Gone(of, gone) if of == ix && gone == key => Some(None),
            Sighting::Content { dataset, key: of, version, .. } if dataset == ix && of == key => {
                Some(Some(hash64(version)))
            }
            _ => None,
        });
        let held = || state.dataset(*ix).entries.get(key).map(|entry| entry.version);
        if seen.unwrap_or_else(held) != file.version.as_deref().map(hash64) {
            moved.push(&file.partition);
        }
    }
    let blind = look.unseen.first().map(|look| {
        let partition = look.set.first().map(|key| state.partition_text(look.dataset, &key)).unwrap_or_default();
        let message = format!(
            "when it ended, its input {partition} could not be observed, so nobody knows whether it has read what is \
             recorded: {}",
            look.message
        );
        AttemptReport::new(AttemptOutcome::Failure { permanent: false }, message)
    });
    let report = moved.first().map(|first| report(first, moved.len() - 1)).or(blind);
    if !look.seen.is_empty() {
        // A closed loop means that the engine is going down.
        let _ = to_loop.send(Message::Input(Box::new(Input::Sightings(look))));
    }
    report
}
