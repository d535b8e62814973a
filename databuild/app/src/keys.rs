//! Dynamic keys.

use super::context::{Backend, Context};
use super::once::Told;
use super::words::{cursor, limit, part};
use super::AppError;
use crate::api::{KeyRow, KeySpaceRow, KeysQuery, KeysReply, KeysRequest, ListQuery, Page};
use crate::engine::CommandError;
use databuild_core::decide::{self, Input, KeyCounts, KeyRequest, Refusal, Reply};
use databuild_core::graph::DatasetIx;
use databuild_core::ids::Seq;
use databuild_core::range_set::Key;
use databuild_core::state::State;

/// Dynamic key spaces.
///
/// # Errors
/// No graph is registered, or a bad query.
pub fn spaces(context: &impl Context, query: &ListQuery) -> Result<Page<KeySpaceRow>, AppError> {
    let Backend { engine, audience, .. } = context.backend();
    let state = &engine.snapshot().state;
    let Some(registered) = state.followed() else {
        return Err(AppError::new("no_graph", "no graph is registered yet"));
    };
    let graph = &registered.graph;
    let row = |(space, holders): (&str, Vec<_>)| {
        let own = state.symbols().dynamic(space);
        let dimension = |(ix, dim): (_, usize)| {
            let dataset = graph.dataset(ix);
            format!("{}/{}", dataset.name, dataset.dims[dim])
        };
        KeySpaceRow {
            space: space.to_owned(),
            keys: own.current.len(),
            retired: own.retired.len(),
            dimensions: holders.into_iter().map(dimension).collect(),
        }
    };
    let seen = |(space, mut holders): (_, Vec<(DatasetIx, usize)>)| {
        holders.retain(|(ix, _)| audience.sees_dataset(graph, *ix));
        (audience.sees_all() || !holders.is_empty()).then_some((space, holders))
    };
    let rows = graph.dynamic_spaces().into_iter().filter_map(seen).map(row);
    part(rows, query.limit, query.cursor.as_deref(), state.seq().0)
}

/// The keys of one space, in the order in which they first came.
///
/// # Errors
/// No such key space, or a bad cursor.
pub fn list(context: &impl Context, space: String, query: &KeysQuery) -> Result<Page<KeyRow>, AppError> {
    let state = &context.backend().engine.snapshot().state;
    // Nothing to add tells only whether there is such a key space.
    let nothing = KeyRequest { space: space.clone(), keys: Vec::new() };
    decide::preview_added(state, &nothing)?;
    // Keys keep their places when others are retired.
    let from: usize = cursor(query.cursor.as_deref())?.unwrap_or(0);
    let limit = limit(query.limit)?;
    let own = state.symbols().dynamic(&space);
    let listed = |(_, key): &(usize, Key)| query.retired || own.current.contains(*key);
    let mut places = own.in_order().enumerate().skip(from).filter(listed);
    let row = |(_, key): (usize, Key)| KeyRow {
        key: state.symbols().text(key).to_owned(),
        retired: own.retired.contains(key),
    };
    let data = places.by_ref().take(limit).map(row).collect();
    let next = places.next().map(|(place, _)| place.to_string());
    Ok(Page { data, next, seq: state.seq().0 })
}

/// Adds keys, or says what adding them would come to.
///
/// # Errors
/// No such key space, or a text that cannot be a key.
pub async fn add(context: &impl Context, space: String, body: KeysRequest) -> Result<KeysReply, AppError> {
    change(context, space, body, Input::AddKeys, decide::preview_added).await
}

/// Retires keys, or says what retiring them would come to.
///
/// # Errors
/// No such key space, or a key that was never there.
pub async fn retire(context: &impl Context, space: String, body: KeysRequest) -> Result<KeysReply, AppError> {
    change(context, space, body, Input::RetireKeys, decide::preview_retired).await
}

type Preview = fn(&State, &KeyRequest) -> Result<(KeyCounts, Vec<String>), Refusal>;

async fn change(
    context: &impl Context,
    space: String,
    body: KeysRequest,
    input: fn(KeyRequest) -> Input,
    preview: Preview,
) -> Result<KeysReply, AppError> {
    let KeysRequest { keys, dry_run } = body;
    let request = KeyRequest { space: space.clone(), keys };
    let answer = move |counts: KeyCounts, seq: Seq| {
        let KeyCounts { new, back, retired, unchanged } = counts;
        KeysReply { space: space.clone(), new, back, retired, unchanged, dry_run, seq: seq.0 }
    };
    if dry_run {
        let counted = context.slow(move |backend, _| {
            let state = &backend.engine.snapshot().state;
            let (counts, _) = preview(state, &request)?;
            Ok(answer(counts, state.seq()))
        });
        return counted.await;
    }
    let told = Told::by(move |reply, seq| match *reply {
        Reply::Keys(counts) => Ok(answer(counts, seq)),
        _ => Err(CommandError::wrong_reply(reply)),
    });
    told.submit(&context.backend().engine, input(request)).await
}
