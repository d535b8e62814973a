//! What goes on; and the box that leads anywhere.

use super::answer::{to, Answer};
use super::form::Sent;
use super::viewer::Viewer;
use crate::api::{NowQuery, TrialQuery};
use crate::app::subjects::{check, Subject};
use crate::app::{events, graphs, now, trials};
use crate::caller::Secure;
use crate::error::ApiError;
use crate::extract::Query;
use crate::sessions::{cookie, set_cookie};
use crate::state::App;
use crate::veiled;
use axum::extract::State;
use axum::http::{header, HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::Router;
use databuild_core::reference::dataset_of;
use databuild_ui::links::{self, Url};
use databuild_ui::pages;
use jiff::SignedDuration;
use serde::Deserialize;

/// How long is remembered what was seen.
const SEEN: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/", get(page)).route("/seen", post(seen)).route("/go", get(go))
}

async fn page(app: App, viewer: Viewer, headers: HeaderMap) -> Answer {
    let since = cookie(&headers, &app.guard.sessions.cookie_name("seen")).map(str::to_owned);
    // Whatever is wrong with the cookie, it only says what was seen.
    let since = since.filter(|since| since.parse::<jiff::Timestamp>().is_ok());
    let seen = since.is_some();
    let answer = veiled::seen(&app, now::get(&app, NowQuery { since }).await?).await?;
    Ok(viewer.shown(&pages::now::page(&answer, seen, viewer.may("/seen"), viewer.now)))
}

/// What failed until now was seen.
async fn seen(State(app): State<App>, Secure(secure): Secure, _: Sent) -> Answer {
    let name = app.guard.sessions.cookie_name("seen");
    let now = crate::os::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let cookie = set_cookie(&name, &now, SEEN, secure);
    let cookie = HeaderValue::from_str(&cookie)
        .map_err(|error| crate::error::ApiError::new("internal", error.to_string()))?;
    Ok(([(header::SET_COOKIE, cookie)], to(&Url::new("/"))).into_response())
}

#[derive(Debug, Deserialize)]
struct Sought {
    #[serde(default)]
    q: String,
}

/// What the log has under a text: a graph by its number or the beginning of its digest, another event by its number, or a
/// trial, which stands beside what it compares.
async fn of_log(app: &App, text: &str) -> Result<Option<Url>, ApiError> {
    if let Ok(trial) = trials::parse(text) {
        if check(app, vec![Subject::Trial(text.to_owned())]).await.is_err() {
            return Ok(None);
        }
        let Ok(found) = trials::get(app, trial, &TrialQuery::default()).await else { return Ok(None) };
        let newest = found.arms.last().map(|arm| arm.graph.clone());
        return Ok(match (found.trial.run, newest) {
            (Some(run), _) => Some(links::run(&run)),
            (None, Some(graph)) => Some(Url::new(&format!("/changes/{graph}"))),
            (None, None) => None,
        });
    }
    if let Ok(graph) = graphs::detail(app, text.to_owned()).await {
        return Ok(Some(links::change(graph.graph.number)));
    }
    Ok(events::get(app, text).await.ok().map(|event| links::event(event.seq)))
}

/// To what somebody typed: an id, a reference, a dataset, a job, a check, a digest, or a part of a name.
async fn go(app: App, Query(sought): Query<Sought>) -> Answer {
    let text = sought.q.trim();
    let is_id = |prefix: char| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let snapshot = app.backend.engine.snapshot();
    let graph = snapshot.state.followed().map(|registered| &registered.graph);
    let audience = &app.backend.audience;
    let is_dataset = |name: &str| graph.is_some_and(|graph| audience.names(graph).any(|known| known == name));
    let is_job = || {
        graph.is_some_and(|graph| graph.job_labeled(text).is_some_and(|job| audience.sees_job(graph, job)))
    };
    let is_check = || {
        graph.is_some_and(|graph| {
            let mut seen = graph.checks().filter(|check| audience.sees_dataset(graph, check.dataset));
            seen.any(|check| check.label == text)
        })
    };
    Ok(to(&if is_id('r') {
        links::run(text)
    } else if is_id('w') {
        links::want(text)
    } else if is_id('p') {
        links::plan(text)
    } else if is_dataset(text) {
        links::dataset(text)
    } else if text.contains('=') && is_dataset(dataset_of(text)) {
        // Keys that have come since the last event count.
        let mut state = snapshot.state.as_ref().clone();
        state.advance(crate::os::now());
        let count = state.resolve_readable(text).map_or(2, |(_, set)| set.len());
        links::reference(text, count)
    } else if is_job() {
        links::runs().with("job", text)
    } else if is_check() {
        links::checks().with("check", text)
    } else if let Some(found) = of_log(&app, text).await? {
        found
    } else {
        Url::new("/datasets").with("q", text)
    }))
}
