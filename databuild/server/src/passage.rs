//! What each request passes on its way to a handler, and its answer on the way back.

use super::asker::{is_of_api, segments};
use super::error::ApiError;
use super::handlers::{contents, graphs, keys};
use super::head::as_get;
use super::keyed::once;
use super::middleware::guard;
use super::pack::packed;
use super::pages::veiled_page;
use super::requests::noted;
use super::state::App;
use super::tag::{tagged, tagged_page, Given};
use super::veiled::veiled;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{DefaultBodyLimit, MatchedPath, RawPathParams, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// Bodies larger than this are refused, except where a route says otherwise.
const BODY_LIMIT: usize = 1 << 20;

/// All of it: the request is noted, its answer packed; it is let in by its host, origin and token; and is answered once for its
/// name, or by a tag to who has the answer.
pub(super) async fn passed(
    State((app, given)): State<(App, Arc<Given>)>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let handled = |request| async { handled(&app, &given, params, request, next).await };
    let let_in = |request| guard(&app, request, handled);
    let packed = |request| packed(with_body_limit(request), let_in);
    noted(&app, request, |request| as_get(request, packed)).await
}

/// The answer of a handler to a request that was let in.
async fn handled(
    app: &App,
    given: &Given,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    // Handlers have the parts of a path as text, and axum would refuse what is none in words of its own. Most paths have no such
    // parts.
    if let Err(RawPathParamsRejection::InvalidUtf8InPathParam(error)) = params {
        return ApiError::new("bad_path", error.body_text()).into_response();
    }
    let is_page = match request.extensions().get::<MatchedPath>() {
        Some(route) => !is_of_api(route.as_str()),
        None => return next.run(request).await,
    };
    let next = |request| next.run(request);
    match *request.method() {
        Method::GET if is_page => tagged_page(request, |request| veiled_page(app, request, next)).await,
        // What is told is tagged as it is told.
        Method::GET => tagged(app, given, request, |request| veiled(app, request, next)).await,
        Method::POST if !is_page => veiled(app, request, |request| once(app, request, next)).await,
        _ if !is_page => veiled(app, request, next).await,
        _ => veiled_page(app, request, next).await,
    }
}

/// Says how large the body of a request may be, before anybody reads it.
fn with_body_limit(mut request: Request) -> Request {
    let most = match segments(request.uri().path())[..] {
        ["graphs"] | ["graphs", "impact"] => graphs::LIMIT,
        ["keys", ..] => keys::LIMIT,
        ["contents", ..] => contents::LIMIT,
        _ => BODY_LIMIT,
    };
    DefaultBodyLimit::max(most).apply(&mut request);
    request
}
