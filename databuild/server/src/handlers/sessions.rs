//! Links that sign a browser in.

use super::super::asker::Asker;
use super::super::error::ApiError;
use super::super::keyed::Kept;
use super::super::sessions::{Link, LINK};
use crate::api::SignInLink;
use crate::app::kept;
use crate::state::App;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use databuild_core::event::Origin;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// A link that signs a browser in, once.
///
/// The browser may do what the token may that asks for the link, as long as that token is good.
///
/// It is told once: a request that is sent again under its `Idempotency-Key` gets `told_before`.
#[utoipa::path(
    post,
    path = "/sign-in-links",
    tag = "Sign-in",
    operation_id = "sessions_create",
    responses(
        (status = 201, description = "The link.", body = SignInLink),
        (status = 200, description = "An earlier request with the same key was told it.", body = SignInLink),
    )
)]
async fn create(
    app: App,
    Extension(origin): Extension<Origin>,
    Extension(asker): Extension<Asker>,
) -> Result<Response, ApiError> {
    let person = origin.actor.name().unwrap_or(&app.owner).to_owned();
    let token = match asker {
        Asker::Owner => None,
        Asker::Holder { name, .. } => Some(name.to_string()),
    };
    let code = app.guard.sessions.link(Link { person, token }, crate::os::now());
    let code = code.map_err(|error| ApiError::new("internal", format!("no random numbers: {error}")))?;
    let valid_seconds = LINK.as_secs().unsigned_abs();
    let again = kept(201, &SignInLink { path: None, valid_seconds: 0, told_before: true });
    let link = SignInLink { path: Some(format!("/sign-in?code={code}")), valid_seconds, told_before: false };
    let again = Extension(again.map_or(Kept::Nothing, Kept::Instead));
    Ok((StatusCode::CREATED, again, Json(link)).into_response())
}
