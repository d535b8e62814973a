//! What pages load, and where a browser signs in.

use super::answer::{sign_in, Answer};
use crate::caller::Secure;
use crate::error::ApiError;
use crate::extract::Query;
use crate::state::App;
use axum::extract::State;
use axum::http::{header, HeaderValue, Uri};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use axum::Router;
use databuild_ui::assets;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/assets/{name}", get(asset)).route("/sign-in", get(enter))
}

async fn asset(uri: Uri) -> Answer {
    let asset =
        assets::find(uri.path()).ok_or_else(|| ApiError::new("not_found", "there is no such file"))?;
    let forever = "public, max-age=31536000, immutable";
    Ok(([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, forever)], asset.content)
        .into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    code: String,
}

async fn enter(State(app): State<App>, Secure(secure): Secure, Query(link): Query<Link>) -> Answer {
    let Some(cookie) = app.guard.sessions.redeem(&link.code, crate::os::now(), secure) else {
        return Ok(sign_in("The link was used already, or is older than a minute."));
    };
    let cookie =
        HeaderValue::from_str(&cookie).map_err(|error| ApiError::new("internal", error.to_string()))?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}
