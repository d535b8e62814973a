//! Tokens.

use super::super::error::ApiError;
use super::super::extract::Body;
use super::Answer;
use crate::api::{CreateToken, TokenList, TokenRow};
use crate::app::tokens;
use crate::state::App;
use axum::extract::Path;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/tokens", get(list).post(create)).route("/tokens/{name}", delete(revoke))
}

async fn list(app: App) -> Json<TokenList> {
    Json(tokens::list(&app))
}

/// Nobody keeps the answer: it has the token.
async fn create(app: App, Body(body): Body<CreateToken>) -> Result<Response, ApiError> {
    let made = tokens::create(&app, body).await?;
    let headers = [
        (header::LOCATION, format!("/api/v1/tokens/{}", made.row.name)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(made)).into_response())
}

async fn revoke(app: App, Path(name): Path<String>) -> Answer<TokenRow> {
    Ok(Json(tokens::revoke(&app, name).await?))
}
