//! What tools do: each calls a command of [`crate::app`], as handlers do, and answers what fits.

use super::answer::{document, page, part};
use super::tools::{
    ApplyArgs, CancelArgs, ChecksArgs, DatasetsArgs, DiffArgs, EventsArgs, LogsArgs, PartitionsArgs,
    PlanArgs, Rights, RunsArgs, WantsArgs, WhyArgs,
};
use crate::api::{
    ApplyPlan, ChecksQuery, DiffQuery, EventsQuery, PartitionsQuery, PlanRequest, RunsQuery, WantsQuery,
    WhyQuery,
};
use crate::app::{checks, cursor, events, graphs, partitions, plans, runs, trials, wants, why, AppError};
use crate::error::ApiError;
use crate::executor::Stream;
use crate::logs::{self, Printed};
use crate::state::App;
use databuild_core::event::RequestKey;
use serde::de::DeserializeOwned;
use serde_json::{json, Value};
use std::time::Duration;

/// Bytes of the end of a stream; two of them fit into an answer, if not all of them are quotation marks.
const END: u64 = 2500;
/// Lines that are asked for at first.
const LINES: usize = 100;
/// Events that are shown if nobody says after which.
const NEWEST: u64 = 20;

/// Calls a tool.
///
/// # Errors
/// Arguments that are not the tool's, and what its command says.
pub(super) async fn call(app: &App, rights: Rights, name: &str, args: Value) -> Result<Value, ApiError> {
    match name {
        "datasets" => datasets(app, read(args)?).await,
        "partitions" => list_partitions(app, read(args)?).await,
        "why" => explain(app, read(args)?).await,
        "plan" => plan(app, rights, read(args)?).await,
        "apply" => apply(app, read(args)?).await,
        "wants" => list_wants(app, read(args)?).await,
        "runs" => list_runs(app, read(args)?).await,
        "logs" => log(app, read(args)?).await,
        "diff" => diff(app, read(args)?).await,
        "checks" => list_checks(app, read(args)?).await,
        "events" => list_events(app, read(args)?).await,
        "cancel" => cancel(app, read(args)?).await,
        _ => Err(ApiError::new("not_found", format!("there is no tool `{name}`"))),
    }
}

fn read<T: DeserializeOwned>(args: Value) -> Result<T, ApiError> {
    serde_json::from_value(args).map_err(|error| ApiError::new("invalid_body", error.to_string()))
}

async fn datasets(app: &App, args: DatasetsArgs) -> Result<Value, ApiError> {
    let from: usize = cursor(args.cursor.as_deref())?.unwrap_or(0);
    let found = partitions::all_datasets(app).await?;
    let named = |name: &str| args.name.as_deref().is_none_or(|part| name.contains(part));
    let rows: Vec<_> = found.data.into_iter().filter(|row| named(&row.dataset)).collect();
    Ok(part(&rows, from, found.seq))
}

async fn list_partitions(app: &App, args: PartitionsArgs) -> Result<Value, ApiError> {
    let PartitionsArgs { reference, state, cursor } = args;
    let ask = |limit| {
        let (reference, state, cursor) = (Some(reference.clone()), state.clone(), cursor.clone());
        partitions::list(app, PartitionsQuery { reference, state, limit: Some(limit), cursor, sort: None })
    };
    Ok(page(ask).await?)
}

async fn explain(app: &App, WhyArgs { of }: WhyArgs) -> Result<Value, ApiError> {
    Ok(if let Ok(want) = of.parse() {
        document(&wants::why(app, want).await?)
    } else if let Ok(run) = of.parse() {
        document(&runs::why(app, run).await?)
    } else {
        document(&why::partition(app, WhyQuery { partition: of }).await?)
    })
}

/// The name of the message, which calls one tool.
fn key(app: &App) -> Option<RequestKey> {
    app.backend.engine.key().cloned()
}

/// A plan is kept for who may apply it. For others nothing is recorded.
async fn plan(app: &App, rights: Rights, args: PlanArgs) -> Result<Value, ApiError> {
    let PlanArgs { targets, refresh, as_of, id } = args;
    if let Some(id) = id {
        return Ok(document(&plans::get(app, plans::parse(&id)?).await?));
    }
    let save = Some(rights >= Rights::Want);
    let request = PlanRequest { targets, refresh, as_of, expires_seconds: None, save };
    Ok(document(&plans::create(app, request, key(app)).await?.made))
}

async fn apply(app: &App, ApplyArgs { plan, class, comment }: ApplyArgs) -> Result<Value, ApiError> {
    let body = ApplyPlan { class, comment: comment.unwrap_or_default(), ..ApplyPlan::default() };
    Ok(document(&plans::apply(app, plans::parse(&plan)?, body, key(app)).await?.made))
}

async fn list_wants(app: &App, args: WantsArgs) -> Result<Value, ApiError> {
    let WantsArgs { id, state, cursor } = args;
    if let Some(id) = id {
        return Ok(document(&wants::get(app, wants::parse(&id)?).await?));
    }
    let ask = |limit| {
        let (state, cursor) = (state.clone(), cursor.clone());
        wants::list(app, WantsQuery { state, limit: Some(limit), cursor, ..WantsQuery::default() })
    };
    Ok(page(ask).await?)
}

async fn list_runs(app: &App, args: RunsArgs) -> Result<Value, ApiError> {
    let RunsArgs { id, job, state, partition, cursor } = args;
    if let Some(id) = id {
        return Ok(document(&runs::get(app, runs::parse(&id)?).await?));
    }
    let ask = |limit| {
        let (job, state, partition) = (job.clone(), state.clone(), partition.clone());
        runs::list(
            app,
            RunsQuery { job, state, partition, limit: Some(limit), cursor: cursor.clone(), sort: None },
        )
    };
    Ok(page(ask).await?)
}

async fn diff(app: &App, DiffArgs { base, head }: DiffArgs) -> Result<Value, ApiError> {
    Ok(document(&graphs::diff(app, DiffQuery { base, head }).await?))
}

async fn list_checks(app: &App, args: ChecksArgs) -> Result<Value, ApiError> {
    let ChecksArgs { reference, failed, cursor } = args;
    let ask = |limit| {
        let (reference, cursor) = (reference.clone(), cursor.clone());
        checks::list(
            app,
            ChecksQuery { reference, failed, limit: Some(limit), cursor, ..ChecksQuery::default() },
        )
    };
    Ok(page(ask).await?)
}

/// Their cursor is the number after which they go on.
async fn list_events(app: &App, EventsArgs { after }: EventsArgs) -> Result<Value, ApiError> {
    let newest = app.backend.engine.snapshot().state.seq().0;
    let after = after.unwrap_or(newest.saturating_sub(NEWEST));
    let ask = |limit| async move {
        let query = EventsQuery { after: Some(after), limit: Some(limit), ..EventsQuery::default() };
        let found = events::list(app, query).await?;
        Ok::<_, AppError>(crate::api::Page { data: found.data, next: found.next, seq: found.seq })
    };
    Ok(page(ask).await?)
}

async fn cancel(app: &App, CancelArgs { id }: CancelArgs) -> Result<Value, ApiError> {
    Ok(if let Ok(want) = id.parse() {
        document(&wants::cancel(app, want).await?)
    } else if let Ok(run) = id.parse() {
        document(&runs::cancel(app, run).await?)
    } else if let Ok(trial) = id.parse() {
        document(&trials::cancel(app, trial).await?)
    } else {
        return Err(ApiError::new("bad_id", format!("`{id}` is no id of a want, a run or a trial")));
    })
}

async fn log(app: &App, args: LogsArgs) -> Result<Value, ApiError> {
    let LogsArgs { run, attempt, stream, cursor: place } = args;
    let only = stream.as_deref().map(logs::stream).transpose()?;
    let printed = || Printed::of_run(app, &run, attempt);
    let Some(place) = place else {
        let streams = Stream::BOTH.into_iter().filter(|stream| only.is_none_or(|only| only == *stream));
        let mut ends = serde_json::Map::new();
        for stream in streams {
            let end = printed().await?.log(stream).end(app, END).await?;
            let (from, size) = (end.offset, end.size);
            ends.insert(stream.name().to_owned(), json!({"end": end.text, "from_byte": from, "size": size}));
        }
        return Ok(document(&ends));
    };
    let from = match place.as_str() {
        "start" => Default::default(),
        place => cursor(Some(place))?.unwrap_or_default(),
    };
    let mut most = LINES;
    loop {
        let found = printed().await?.lines(only).read(app, from, most, Duration::ZERO).await?;
        let shown = document(&found);
        if shown.get("cut").is_none() || most == 1 {
            return Ok(shown);
        }
        most = (most / 2).min(found.lines.len() / 2).max(1);
    }
}
