//! When an attempt has ended, asks servers and programs for the present versions of those of its inputs that they
//! observe.

use super::files::is_remote;
use super::moved::{report, Moved};
use super::observers::Observers;
use crate::attempt::request::{parse_request, InputFile};
use crate::executor::{AttemptName, Executor, Kept, Text};
use crate::message::{Asked, EndedAttempt, Message};
use crate::shared::Shared;
use databuild_core::decide::{AttemptReport, Input, Sighting};
use databuild_core::digest::hash64;
use databuild_core::event::AttemptOutcome;
use databuild_core::graph::DatasetIx;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::Arc;

/// What asking needs.
pub(crate) struct Asker<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) observers: &'a Observers,
    pub(crate) executor: &'a Arc<dyn Executor>,
}

/// Asks what the inputs are now that others have to be asked about, and passes the attempt on to be examined.
pub(crate) fn ask(
    asker: &Asker,
    mut ended: EndedAttempt,
    to_loop: &Sender<Message>,
    examine: &Sender<EndedAttempt>,
) {
    if !ended.exit.canceled {
        ended.asked = asked(asker, &ended, to_loop);
    }
    // A closed examiner means that the engine is going down; the runner tells again.
    let _ = examine.send(ended);
}

fn asked(asker: &Asker, ended: &EndedAttempt, to_loop: &Sender<Message>) -> Option<Asked> {
    let state: Arc<State> = Arc::clone(&asker.shared.snapshot.load_full().state);
    let name = AttemptName::new(ended.attempt.to_string()).ok()?;
    // What cannot be read back the examiner tells.
    let request = Kept::of(asker.executor, name).request(Text::Request).ok()??;
    let request = parse_request(&request).ok()?;
    let graph = &state.runs().get(&ended.attempt.run)?.graph;
    let mut files: BTreeMap<(DatasetIx, PartitionKey), &InputFile> = BTreeMap::new();
    let mut sets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for file in request.inputs.values().flatten().chain(&request.discovered) {
        let Some((ix, key)) = graph.graph.locate(&file.partition, state.symbols()) else { continue };
        let Some(now) = state.same_place(graph, ix).filter(|_| is_remote(&graph.graph, ix)) else { continue };
        let shape = state.graph().dataset(now).shape;
        sets.entry(now).or_insert_with(|| PartitionSet::empty(shape)).insert(&key);
        files.insert((now, key), file);
    }
    let sets: Vec<_> = sets.into_iter().collect();
    let look = asker.observers.look(&state, &sets, false);
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
