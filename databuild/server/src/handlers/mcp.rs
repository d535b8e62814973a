//! Assistants.

use super::super::error::ApiError;
use super::super::extract::whole;
use super::super::mcp;
use crate::state::App;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun, below `/`. There are no sessions, and so no streams to `GET` and nothing to `DELETE`.
pub(crate) fn root_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(answer))
}

/// A message of the Model Context Protocol.
///
/// [Streamable HTTP](https://modelcontextprotocol.io), without sessions, in all revisions from 2024-11-05 to 2026-07-28, answered in
/// JSON. The tools are those of [`databuild mcp`](cli.md#mcp). `X-Databuild-Allow: read`, `want` or `operate` says what the
/// assistant may do. With a token that was created, that is at most what its scopes include, and all of it without the header;
/// with the owner's, it may read unless the header says more. With a token for some datasets it sees what is of those. Errors of tools are results with `isError` that have the body of errors, such
/// as `not_permitted`; those of the protocol are as it says.
#[utoipa::path(
    post,
    path = "/mcp",
    tag = "Assistants",
    operation_id = "mcp_answer",
    params(("X-Databuild-Allow" = Option<String>, Header, description = "What the assistant may do: `read`, `want` or `operate`.")),
    request_body = serde_json::Value,
    responses(
        (status = 200, description = "The answer to a request.", body = serde_json::Value),
        (status = 202, description = "A notification was taken."),
        (status = 406, description = "`Accept` does not name both `application/json` and `text/event-stream`.", body = String),
        (status = "default", description = "body_incomplete"),
    )
)]
async fn answer(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = whole(request, &app).await?;
    let Ok(app) = App::from_request_parts(&mut parts, &app).await;
    mcp::answer(app, parts, body).await
}
