//! What starts by itself.

use super::answer::{refused, to, Answer, Failed};
use super::form::Sent;
use super::viewer::Viewer;
use crate::api::{ListQuery as Listed, ScheduleDetail, ScheduleQuery};
use crate::app::schedules;
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_core::text::shell_word;
use databuild_ui::layout::Place;
use databuild_ui::pages::ask::Ask;
use databuild_ui::{links, pages};
use serde::Deserialize;

/// Rows of the list.
const ROWS: usize = 100;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/automation", get(list)).route("/automation/{*name}", get(one).post(act))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: Option<String>,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let rows = schedules::list(&app, &Listed { limit: Some(ROWS), cursor: query.cursor.clone() })?;
    let rows = seen(&app, rows).await?;
    Ok(viewer.shown(&pages::automation::list(&rows, query.cursor.as_deref(), viewer.now)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneQuery {
    ask: String,
}

async fn one(app: App, viewer: Viewer, Path(name): Path<String>, Query(query): Query<OneQuery>) -> Answer {
    let detail = seen(&app, schedules::get(&app, &name, &ScheduleQuery::default())?).await?;
    let may = viewer.may(links::schedule(&name).path());
    if !query.ask.is_empty() {
        return Ok(viewer.shown(&pages::ask::page(&ask(&detail, &query.ask)?, may)));
    }
    Ok(viewer.shown(&pages::automation::schedule(&detail, may, viewer.now)))
}

/// What an action would do.
fn ask<'a>(detail: &ScheduleDetail, what: &'a str) -> Result<Ask<'a>, Failed> {
    let name = &detail.row.name;
    let word = shell_word(name);
    let (question, label, follows, command) = match what {
        "pause" => (
            format!("Pause {name}?"),
            "Pause the schedule",
            vec![
                "No tick of it is fired until somebody resumes it, whatever starts or is deployed meanwhile."
                    .to_owned(),
            ],
            format!("schedules pause {word}"),
        ),
        "resume" => (
            format!("Resume {name}?"),
            "Resume the schedule",
            vec!["It goes on with its next tick. Those of the pause are skipped.".to_owned()],
            format!("schedules resume {word}"),
        ),
        "run" => (
            format!("Fire {name} now?"),
            "Fire it now",
            vec![
                format!("It wants {} as of now.", detail.row.targets.join(", ")),
                "Its ticks stay as they are.".to_owned(),
            ],
            format!("schedules run-now {word}"),
        ),
        other => return Err(unknown(other)),
    };
    let link = links::schedule(name);
    let (action, back) = (link.clone(), link);
    let fields = vec![("action", what)];
    Ok(Ask { place: Place::Automation, question, follows, label, action, fields, back, command })
}

async fn act(app: App, Path(name): Path<String>, sent: Sent) -> Answer {
    match sent.get("action") {
        "pause" => _ = schedules::pause(&app, name.clone()).await?,
        "resume" => _ = schedules::resume(&app, name.clone()).await?,
        "run" => {
            let made = schedules::run(&app, name, None).await?;
            return Ok(to(&links::want(&made.made.want.id)));
        }
        other => return Err(unknown(other)),
    }
    Ok(to(&links::schedule(&name)))
}

fn unknown(action: &str) -> Failed {
    refused("bad_query", format!("a schedule has no action `{action}`"))
}
