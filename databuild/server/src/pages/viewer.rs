//! Who looks at a page, and what all pages say.

use crate::asker::Asker;
use crate::sessions::Session;
use crate::state::App;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::Method;
use axum::response::{Html, IntoResponse, Response};
use databuild_core::decide::blocker::under_way;
use databuild_core::decide::queue;
use databuild_core::state::Run;
use databuild_core::word::Word as _;
use databuild_ui::layout::{Page, Site};
use databuild_ui::parts::form::May;
use jiff::Timestamp;
use std::convert::Infallible;
use std::sync::Arc;

/// Who looks at a page.
pub(super) struct Viewer {
    pub(super) site: Site,
    /// When.
    pub(super) now: Timestamp,
    /// Only these parts are asked for.
    parts: Option<String>,
    /// By what they can show.
    asker: Option<Asker>,
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Viewer, Infallible> {
        let engine = &app.backend.engine;
        let snapshot = engine.snapshot();
        let state = &snapshot.state;
        let followed = state.followed();
        let asker = parts.extensions.get::<Asker>();
        let audience = asker.map(Asker::audience).unwrap_or_default();
        let begun = under_way(state, snapshot.slots);
        let is_begun = |run: &&Arc<Run>| begun.contains(&run.id) && audience.sees_run(state, run);
        let session = parts.extensions.get::<Session>();
        Ok(Viewer {
            site: Site {
                workspace: engine.workspace().display().to_string(),
                graph: followed.map(|registered| registered.id.to_string()),
                csrf: session.map(|session| session.csrf.clone()).unwrap_or_default(),
                under_way: state.runs().values().filter(is_begun).count() as u64,
                waiting: audience.counted(state, |counted| queue::waiting(state, snapshot.slots, counted)),
                open_wants: state.wants().keys().filter(|want| audience.sees_want(state, **want)).count()
                    as u64,
                datasets: followed.map_or(0, |registered| audience.names(&registered.graph).count() as u64),
                seq: state.seq().0,
            },
            now: crate::os::now(),
            parts: parts.uri.query().and_then(asked_parts),
            asker: asker.cloned(),
        })
    }
}

/// The names after `part=`, parted by blanks.
fn asked_parts(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|one| one.strip_prefix("part="))?;
    Some(value.replace("%20", " ").replace('+', " "))
}

impl Viewer {
    /// Whether a part of the page is asked for, which whoever makes the page may leave out else.
    pub(super) fn asks_for(&self, part: &str) -> bool {
        self.parts.as_ref().is_none_or(|names| names.split(' ').any(|name| name == part))
    }

    /// Whether they may send the form at this path.
    pub(super) fn may(&self, path: &str) -> May<'_> {
        match self.asker.as_ref().and_then(|asker| asker.lacks(&Method::POST, path)) {
            Some(scope) => May::Lack(scope.word()),
            None => May::Do(&self.site.csrf),
        }
    }

    /// Whether they may read what is at a path of the API though it is about all that there is.
    pub(super) fn may_read_whole(&self, path: &str) -> bool {
        self.asker.as_ref().is_none_or(|asker| asker.may_read_whole(path))
    }

    /// A page, or those parts of it that were asked for.
    pub(super) fn shown(&self, page: &Page) -> Response {
        let markup = match &self.parts {
            None => page.whole(&self.site),
            Some(names) => page.some(&names.split(' ').collect::<Vec<_>>(), &self.site),
        };
        Html(markup.into_string()).into_response()
    }
}
