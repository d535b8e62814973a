//! Tokens.

use super::super::error::ApiError;
use super::super::extract::Body;
use super::super::keyed::Kept;
use super::Answer;
use crate::api::{CreateToken, NewToken, TokenList, TokenRow};
use crate::app::{kept, tokens};
use crate::state::App;
use axum::extract::Path;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use databuild_core::event::KeptAnswer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// All tokens that there ever were, by name.
#[utoipa::path(
    get,
    path = "/tokens",
    tag = "Tokens",
    operation_id = "tokens_list",
    responses((status = 200, body = TokenList))
)]
async fn list(app: App) -> Json<TokenList> {
    Json(tokens::list(&app))
}

/// Creates a token.
///
/// `token` is told once: the log has its SHA-256. A name is given once. A request that is sent again under its `Idempotency-Key` is
/// told of the same token, without what makes it one: `token` is null and `told_before` true.
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "Tokens",
    operation_id = "tokens_create",
    request_body = CreateToken,
    responses(
        (status = 201, description = "The token.", body = NewToken),
        (status = 200, description = "What an earlier request with the same key created.", body = NewToken),
        (status = "default", description = "bad_dataset_pattern bad_expiry bad_scope bad_token_name no_random_numbers token_name_taken WRITE"),
    )
)]
async fn create(app: App, Body(body): Body<CreateToken>) -> Result<Response, ApiError> {
    let made = tokens::create(&app, body).await?;
    let location = format!("/api/v1/tokens/{}", made.row.name);
    let again = kept(201, &NewToken { token: None, told_before: true, ..made.clone() });
    let again = again.map(|again| Kept::Instead(KeptAnswer { location: location.clone(), ..again }));
    let status = if made.told_before { StatusCode::OK } else { StatusCode::CREATED };
    // Nobody keeps the answer: it has the token.
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((status, headers, Extension(again.unwrap_or(Kept::Nothing)), Json(made)).into_response())
}

/// Makes a token worth nothing.
///
/// Asking twice is no error.
#[utoipa::path(
    delete,
    path = "/tokens/{name}",
    tag = "Tokens",
    operation_id = "tokens_revoke",
    params(("name" = String, Path, description = "Its name.", example = "dashboard")),
    responses(
        (status = 200, body = TokenRow),
        (status = "default", description = "token_not_found WRITE"),
    )
)]
async fn revoke(app: App, Path(name): Path<String>) -> Answer<TokenRow> {
    Ok(Json(tokens::revoke(&app, name).await?))
}
