//! Wants.

use super::answer::{refused, to, Answer};
use super::form::Sent;
use super::viewer::Viewer;
use crate::api::{PrioritizeWant, Progress, WantDetail, WantsQuery};
use crate::app::{want_history, wants};
use crate::extract::Query;
use crate::state::App;
use crate::store::WantState;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_core::amounts::{are, count as many, plural};
use databuild_core::word::Word as _;
use databuild_ui::layout::Place as Where;
use databuild_ui::links;
use databuild_ui::pages;
use databuild_ui::pages::ask::Ask;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/wants", get(list)).route("/wants/{id}", get(one).post(act))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    state: String,
    cursor: Option<String>,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let state = Some(query.state).filter(|state| !state.is_empty());
    let query = WantsQuery { state, cursor: query.cursor, ..WantsQuery::default() };
    let rows = seen(&app, wants::list(&app, query.clone()).await?).await?;
    let states: Vec<&str> = WantState::ALL.iter().map(|state| state.word()).collect();
    Ok(viewer.shown(&pages::wants::page(&rows, &query, &states, viewer.now)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneQuery {
    ask: String,
}

async fn one(app: App, viewer: Viewer, Path(id): Path<String>, Query(query): Query<OneQuery>) -> Answer {
    let want = wants::parse(&id)?;
    let detail = seen(&app, wants::get(&app, want).await?).await?;
    if !query.ask.is_empty() {
        let ask = ask(&detail, &query.ask)?;
        return Ok(viewer.shown(&pages::ask::page(&ask, viewer.may(links::want(&id).path()))));
    }
    let why = seen(&app, wants::why(&app, want).await?).await?;
    let history = seen(&app, want_history::get(&app, want).await?).await?;
    Ok(viewer.shown(&pages::want::page(
        &detail,
        &why,
        &history,
        viewer.may(links::want(&id).path()),
        viewer.now,
    )))
}

/// What an action would do.
fn ask<'a>(detail: &WantDetail, what: &'a str) -> Result<Ask<'a>, super::answer::Failed> {
    let id = &detail.want.id;
    let progress = detail.progress.clone().unwrap_or_default();
    let Progress { left, running, done, .. } = progress;
    let left_of_it = format!("{} {} left of it", many(left, "partition"), are(left));
    let (question, label, follows, command) = match what {
        "cancel" => (
            format!("Cancel {id}?"),
            "Cancel the want",
            vec![
                format!("{left_of_it}, and nothing more is begun for it."),
                format!(
                    "{} {} being built; those runs are stopped, unless others want them.",
                    many(running, "partition"),
                    are(running)
                ),
                format!(
                    "{} that {} done {}.",
                    many(done, "partition"),
                    are(done),
                    plural(done, "stays", "stay")
                ),
            ],
            format!("cancel {id}"),
        ),
        "pause" => (
            format!("Pause {id}?"),
            "Pause the want",
            vec![
                format!("{left_of_it}. Nothing more is begun for it until it is resumed."),
                format!(
                    "{} that {} being built {} on.",
                    many(running, "partition"),
                    are(running),
                    plural(running, "goes", "go")
                ),
            ],
            format!("want pause {id}"),
        ),
        "resume" => (
            format!("Resume {id}?"),
            "Resume the want",
            vec![format!("{left_of_it}, and {} as places get free.", plural(left, "begins", "begin"))],
            format!("want resume {id}"),
        ),
        "backfill" => (
            format!("Make {id} a backfill?"),
            "Make it a backfill",
            vec![format!(
                "{left_of_it}. What is left begins only when nothing that is not a backfill is ready."
            )],
            format!("want priority {id} backfill"),
        ),
        "interactive" => (
            format!("Put {id} before backfills?"),
            "Put it before backfills",
            vec![format!("{left_of_it}. What is left begins before the work of backfills.")],
            format!("want priority {id} interactive"),
        ),
        other => return Err(refused("bad_query", format!("a want has no action `{other}`"))),
    };
    Ok(Ask {
        place: Where::Wants,
        question,
        follows,
        label,
        action: links::want(id),
        fields: vec![("action", what)],
        back: links::want(id),
        command,
    })
}

async fn act(app: App, Path(id): Path<String>, sent: Sent) -> Answer {
    let want = wants::parse(&id)?;
    let action = sent.get("action");
    match action {
        "cancel" => wants::cancel(&app, want).await?.of,
        "pause" => wants::pause(&app, want).await?,
        "resume" => wants::resume(&app, want).await?,
        "backfill" | "interactive" => {
            wants::prioritize(&app, want, &PrioritizeWant { class: action.to_owned() }).await?
        }
        other => return Err(refused("bad_query", format!("a want has no action `{other}`"))),
    };
    Ok(to(&links::want(&id)))
}
