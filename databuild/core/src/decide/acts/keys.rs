//! Dynamic keys: added and retired by people, and found by runs.

use crate::decide::changes::replan;
use crate::decide::changes::replan::rests;
use crate::decide::messages::input::{KeyCounts, KeyRequest};
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Event, KeysAdded, KeysRetired};
use crate::keys::new_key_fault;
use crate::state::State;
use crate::text::{nearest, shown, SOME};
use std::collections::BTreeSet;

/// What adding keys comes to, with those for which something changes; nothing is done.
///
/// # Errors
/// No such key space, or a text that cannot be a key.
pub fn preview_added(state: &State, request: &KeyRequest) -> Result<(KeyCounts, Vec<String>), Refusal> {
    check_space(state, &request.space)?;
    if let Some((key, fault)) = request.keys.iter().find_map(|key| Some((key, new_key_fault(key)?))) {
        let count = request.keys.iter().filter(|key| new_key_fault(key).is_some()).count();
        return Err(Refusal::BadKey { key: shown(key), fault, more: count - 1 });
    }
    let own = state.symbols().dynamic(&request.space);
    let mut counts = KeyCounts::default();
    let mut changed = Vec::new();
    for key in distinct(&request.keys) {
        match state.symbols().get(key) {
            Some(number) if own.current.contains(number) => counts.unchanged += 1,
            number => {
                let back = number.is_some_and(|number| own.retired.contains(number));
                *(if back { &mut counts.back } else { &mut counts.new }) += 1;
                changed.push(key.to_owned());
            }
        }
    }
    Ok((counts, changed))
}

/// The same for keys that are to be retired.
///
/// # Errors
/// No such key space, or a key that was never in it.
pub fn preview_retired(state: &State, request: &KeyRequest) -> Result<(KeyCounts, Vec<String>), Refusal> {
    check_space(state, &request.space)?;
    let own = state.symbols().dynamic(&request.space);
    let mut counts = KeyCounts::default();
    let mut changed = Vec::new();
    let mut unknown = Vec::new();
    for key in distinct(&request.keys) {
        match state.symbols().get(key) {
            Some(number) if own.current.contains(number) => {
                counts.retired += 1;
                changed.push(key.to_owned());
            }
            Some(number) if own.retired.contains(number) => counts.unchanged += 1,
            _ => unknown.push(key),
        }
    }
    match unknown.first() {
        None => Ok((counts, changed)),
        Some(first) => Err(Refusal::NoSuchKey {
            space: request.space.clone(),
            key: shown(first),
            more: unknown.len() - 1,
        }),
    }
}

/// Each key once, in the order in which they were given.
fn distinct(keys: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    keys.iter().map(String::as_str).filter(|key| seen.insert(*key)).collect()
}

fn check_space(state: &State, space: &str) -> Result<(), Refusal> {
    let registered = state.followed().ok_or(Refusal::NoGraph)?;
    let spaces = registered.graph.dynamic_spaces();
    if spaces.contains_key(space) {
        return Ok(());
    }
    Err(Refusal::UnknownKeySpace {
        name: shown(space),
        count: spaces.len(),
        near: nearest(space, spaces.keys().copied()),
        some: spaces.keys().take(SOME).map(|name| (*name).to_owned()).collect(),
    })
}

pub(crate) fn add(out: &mut Out, request: KeyRequest) -> Result<Reply, Refusal> {
    let (counts, keys) = preview_added(out.state, &request)?;
    if !keys.is_empty() {
        let symbols = out.state.symbols();
        let retired = &symbols.dynamic(&request.space).retired;
        let was_retired = |key: &&String| symbols.get(key).is_some_and(|number| retired.contains(number));
        let back = keys.iter().filter(was_retired).cloned().collect();
        out.event(Event::KeysAdded(KeysAdded { space: request.space, keys, back }));
    }
    Ok(Reply::Keys(counts))
}

pub(crate) fn retire(out: &mut Out, request: KeyRequest) -> Result<Reply, Refusal> {
    let (counts, keys) = preview_retired(out.state, &request)?;
    if !keys.is_empty() {
        let registered = out.state.registered().clone();
        let rests = rests(out.state);
        out.event(Event::KeysRetired(KeysRetired { space: request.space, keys }));
        replan::replan(out, &registered.graph, rests, &[]);
    }
    Ok(Reply::Keys(counts))
}
