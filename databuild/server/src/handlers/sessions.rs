//! Links that sign a browser in.

use super::super::error::ApiError;
use super::super::sessions::LINK;
use crate::api::SignInLink;
use crate::state::App;
use axum::http::StatusCode;
use axum::{Extension, Json};
use databuild_core::event::Origin;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// A link that signs a browser in, once.
#[utoipa::path(
    post,
    path = "/sign-in-links",
    tag = "Sign-in",
    operation_id = "sessions_create",
    responses((status = 201, body = SignInLink))
)]
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
