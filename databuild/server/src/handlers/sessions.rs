//! Links that sign a browser in.

use super::super::asker::Asker;
use super::super::error::ApiError;
use super::super::sessions::{Link, LINK};
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
///
/// The browser may do what the token may that asks for the link, as long as that token is good.
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
    Extension(asker): Extension<Asker>,
) -> Result<(StatusCode, Json<SignInLink>), ApiError> {
    let person = origin.actor.name().unwrap_or(&app.owner).to_owned();
    let token = match asker {
        Asker::Owner => None,
        Asker::Holder { name, .. } => Some(name.to_string()),
    };
    let code = app.guard.sessions.link(Link { person, token }, crate::os::now());
    let code = code.map_err(|error| ApiError::new("internal", format!("no random numbers: {error}")))?;
    let link =
        SignInLink { path: format!("/sign-in?code={code}"), valid_seconds: LINK.as_secs().unsigned_abs() };
    Ok((StatusCode::CREATED, Json(link)))
}
