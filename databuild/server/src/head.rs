//! HEAD: what a GET would be told, but for the body.

use super::next::Next;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{header, HeaderValue, Method};
use axum::response::Response;

/// Marks a request that nobody reads an answer to. It is to have no effect that its GET would not have on others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head;

/// Answers a HEAD as a GET, and leaves out the body. So whatever a GET is told in headers, a HEAD is told.
pub(super) async fn as_get(mut request: Request, next: impl Next) -> Response {
    if request.method() != Method::HEAD {
        return next.run(request).await;
    }
    *request.method_mut() = Method::GET;
    request.extensions_mut().insert(Head);
    let (mut head, body) = next.run(request).await.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|_| head.status.as_u16() != 304) {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    Response::from_parts(head, Body::empty())
}
