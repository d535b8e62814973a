//! Whether what an attempt has read was changed while it ran: it is held against what its request says of it.
//!
//! A file counts as changed if its mark is another one, also if it has the same content again: nobody can say what the
//! job has read in between. The exception is a file of several names of which only the time of change moved: jobs make
//! hard links to their inputs, and so its content decides. Of what others have to be asked about only the version can
//! be compared; an answer that is younger than the `every` of its dataset is believed.

use super::examiner::{Asked, EndedAttempt};
use super::orchestrator::Message;
use super::request::{parse_request, InputFile, Request};
use super::starter::{is_remote, Starter};
use crate::publish::{self, FileState, Imprint, Since, StatMark};
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

/// An input whose files are not as they were when its request was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) partition: String,
    /// Only the time of change moved.
    touched: bool,
}

/// Inputs of a request that are files and not as they were when it was written.
pub(super) fn moved_files(request: &Request) -> Vec<Moved> {
    let mut found = Vec::new();
    let mut marked: Vec<(&InputFile, Imprint)> = Vec::new();
    let mut items: Vec<(PathBuf, StatMark)> = Vec::new();
    for file in request.inputs.values().flatten().chain(&request.discovered).filter(|file| !file.empty) {
        let since = match (file.imprint(request.changed_at), file.body(), &file.path, &file.paths) {
            (Some(then), _, Some(path), _) => {
                marked.push((file, then));
                items.push((path.clone(), then.mark));
                continue;
            }
            (Some(then), _, None, Some(paths)) => publish::files_since(paths, &then),
            // Requests of older versions have less.
            (None, Some(body), Some(path), _) => publish::body_since(path, body),
            (None, Some(body), None, Some(paths)) => publish::files_body_since(paths, body),
            _ if file.vanished() => Since::Changed,
            _ => Since::Untouched,
        };
        found.push((file, since));
    }
    let states = publish::check_files(&items, 1);
    let touched = marked.into_iter().zip(&items).zip(states).filter(|(_, state)| *state != FileState::Same);
    found.extend(touched.map(|(((file, then), (path, _)), _)| (file, publish::since(path, &then))));
    let moved = |(file, since): (&InputFile, Since)| {
        let moved = match since {
            Since::Untouched => false,
            Since::Linked => !file.holds_its_version(),
            Since::Touched | Since::Changed => true,
        };
        let touched = matches!(since, Since::Touched);
        moved.then(|| Moved { partition: file.partition.clone(), touched })
    };
    found.into_iter().filter_map(moved).collect()
}

/// What to say of an attempt whose inputs moved, if any did.
pub(super) fn report(moved: &[Moved]) -> Option<AttemptReport> {
    let (first, more) = moved.split_first()?;
    let rest = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let how = if first.touched {
        "was touched while it ran: its size and time of modification are as before, but something wrote to it and put \
         the time back, changed its mode or owner, or made and removed a link to it"
    } else {
        "was changed while it ran"
    };
    let message = format!("its input {}{rest} {how}", first.partition);
    Some(AttemptReport::new(AttemptOutcome::InputsMoved, message))
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

fn asked(starter: &Starter, ended: &EndedAttempt, to_loop: &Sender<Message>) -> Option<Asked> {
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
    let mut moved: Vec<Moved> = Vec::new();
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
            moved.push(Moved { partition: file.partition.clone(), touched: false });
        }
    }
    let nothing = look.unseen.first().map(|look| {
        let partition = look.set.first().map(|key| state.partition_text(look.dataset, &key)).unwrap_or_default();
        let message = format!(
            "when it ended, its input {partition} could not be observed, so nobody knows whether it has read what is \
             recorded: {}",
            look.message
        );
        // It is not the job's fault, and trying again may help: as if it had moved.
        Asked::Nothing(AttemptReport::new(AttemptOutcome::InputsMoved, message))
    });
    let asked = report(&moved).map(Asked::Moved).or(nothing);
    if !look.seen.is_empty() {
        // A closed loop means that the engine is going down.
        let _ = to_loop.send(Message::Input(Box::new(Input::Sightings(look))));
    }
    asked
}
