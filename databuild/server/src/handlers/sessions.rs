//! Links that sign a browser in.

use super::super::error::ApiError;
use super::super::sessions::LINK;
use crate::api::SignInLink;
use crate::state::App;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json, Router};
use databuild_core::event::Origin;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/sign-in-links", post(create))
}

async fn create(
    app: App,
    Extension(origin): Extension<Origin>,
) -> Result<(StatusCode, Json<SignInLink>), ApiError> {
    let person = origin.actor.name().unwrap_or(&app.owner);
    let code = app.guard.sessions.link(person, crate::os::now());
    let code = code.map_err(|error| ApiError::new("internal", format!("no random numbers: {error}")))?;
    let link =
        SignInLink { path: format!("/sign-in?code={code}"), valid_seconds: LINK.as_secs().unsigned_abs() };
    Ok((StatusCode::CREATED, Json(link)))
}
