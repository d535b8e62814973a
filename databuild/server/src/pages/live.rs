//! What an open page follows: one stream, which says what moved, and what a run prints.
//!
//! It says no more than that: what is shown is asked for again, at the page's own address, so there is one way in which it
//! is worked out. What moved is known from the events that all who follow the log are told (`crate::follow`).

use super::answer::Answer;
use super::run_log::printed;
use crate::app::events::{self, Told};
use crate::app::{cursor, runs};
use crate::error::ApiError;
use crate::extract::Query;
use crate::follow::join;
use crate::log_lines::{Line, Place};
use crate::logs::LogInLines;
use crate::moves::ALL;
use crate::state::App;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::Router;
use databuild_core::ids::AttemptId;
use databuild_ui::parts::log::lines;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Between two messages of what moved.
const PACE: Duration = Duration::from_millis(250);
/// Lines of one message.
const LINES: usize = 1_000;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/live", get(live))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LiveQuery {
    /// Words that the page shows, parted by blanks.
    of: String,
    /// The attempt whose log it follows.
    log: Option<String>,
    /// From where on.
    from: Option<String>,
}

async fn live(app: App, headers: HeaderMap, Query(query): Query<LiveQuery>) -> Answer {
    let of: BTreeSet<String> = query.of.split_whitespace().map(str::to_owned).collect();
    // Of events, only lines have an id: where the next ones are.
    let came = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let from: Place =
        cursor(came.or(query.from.filter(|from| !from.is_empty())).as_deref())?.unwrap_or_default();
    let log = match &query.log {
        Some(text) => Some(log_of(&app, text).await?),
        None => None,
    };
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(16);
    if let Some(log) = log {
        tokio::spawn(tell_lines(app.clone(), log, from, send.clone()));
    }
    tokio::spawn(tell_moves(app, of, send));
    Ok(Sse::new(tokio_stream::wrappers::ReceiverStream::new(receive))
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// What an attempt prints.
async fn log_of(app: &App, text: &str) -> Result<LogInLines, ApiError> {
    let attempt: AttemptId =
        text.parse().map_err(|_| ApiError::not_found("attempt_not_found", "attempt", text))?;
    let detail = runs::get(app, attempt.run).await?;
    Ok(printed(app, attempt.run, &detail, attempt.number)?.lines(None))
}

async fn tell_moves(app: App, of: BTreeSet<String>, send: Sender<Result<Event, Infallible>>) {
    let filter = events::all(&app);
    let (mut follower, mut after) = join(&app);
    if send.send(Ok(Event::default().event("at").data(after.to_string()))).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            newer = follower.newest.wait_for(|newest| *newest > after) => if newer.is_err() { return },
            () = send.closed() => return,
        }
        tokio::time::sleep(PACE).await;
        let snapshot = app.backend.engine.snapshot();
        let matcher = filter.at(&snapshot.state);
        let fits = |told: &Told| told.fits(&matcher);
        let fits = (!filter.is_all()).then_some(&fits as &dyn Fn(&Told) -> bool);
        let (moved, until) = follower.moved(after, fits);
        after = until;
        let own: Vec<&String> = moved.iter().filter(|word| *word == ALL || of.contains(*word)).collect();
        if own.is_empty() {
            continue;
        }
        let told = Event::default().event("moved").json_data(serde_json::json!({"seq": until, "of": own}));
        let Ok(told) = told else { return };
        if send.send(Ok(told)).await.is_err() {
            return;
        }
    }
}

async fn tell_lines(app: App, log: LogInLines, mut from: Place, send: Sender<Result<Event, Infallible>>) {
    loop {
        let found = tokio::select! {
            found = log.more(&app, from, LINES, None) => found,
            () = send.closed() => return,
        };
        let Ok((found, _)) = found else { break };
        from = found.next;
        if !found.lines.is_empty() {
            let rows: Vec<_> = found.lines.iter().map(Line::row).collect();
            let event = Event::default()
                .event("lines")
                .id(from.to_string())
                .json_data(lines(&rows, "").into_string());
            let Ok(event) = event else { return };
            if send.send(Ok(event)).await.is_err() {
                return;
            }
        }
        if found.ended {
            break;
        }
    }
    let _ = send.send(Ok(Event::default().event("end").data("{}"))).await;
}
