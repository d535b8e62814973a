//! What handlers take out of requests. Whatever is wrong with it is told in the one shape of errors.

use super::error::ApiError;
use crate::app::bad_rows;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::Uri;
use axum::Json;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a body may take to come. Whoever sends half of one would hold a connection for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ApiError> {
        let (parts, bytes) = whole(request, state).await?;
        Ok(Body(json(parts, bytes, state).await?))
    }
}

/// A request's head, and all of its body.
pub(super) async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<(Parts, Bytes), ApiError> {
    whole_within(PATIENCE, request, state).await
}

async fn whole_within<S: Send + Sync>(
    patience: Duration,
    request: Request,
    state: &S,
) -> Result<(Parts, Bytes), ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state);
    match tokio::time::timeout(patience, bytes).await {
        Ok(bytes) => Ok((parts, bytes?)),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", patience.as_secs());
            Err(ApiError::new("body_incomplete", message))
        }
    }
}

/// What a body says.
pub(super) async fn json<S: Send + Sync, T: DeserializeOwned>(
    parts: Parts,
    body: Bytes,
    state: &S,
) -> Result<T, ApiError> {
    // A list of the values of all fields would do for serde.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::new(
            "invalid_body",
            "the body is a list: send an object with the fields of the request",
        ));
    }
    let Json(value) = Json::<T>::from_request(Request::from_parts(parts, body.into()), state).await?;
    Ok(value)
}

/// The parameters after the `?`.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(rejection) => Err(bad_limit(&parts.uri).unwrap_or_else(|| rejection.into())),
        }
    }
}

/// The error of a request whose limit of rows is no number that can be read: negative, far too large, or empty. A limit of bytes is
/// something else.
fn bad_limit(uri: &Uri) -> Option<ApiError> {
    if uri.path().contains("/logs/") {
        return None;
    }
    let rows = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("limit="))?;
    let digits = rows.strip_prefix('-').unwrap_or(rows);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || rows.parse::<usize>().is_ok() {
        return None;
    }
    Some(ApiError::from(bad_rows(rows)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let half = half_a_body();
        let request = Request::post("/").body(axum::body::Body::from_stream(half)).unwrap();
        let error = whole_within(Duration::from_millis(1), request, &()).await.unwrap_err();
        assert_eq!(error.body.error, "body_incomplete");
    }

    /// Some bytes, and then nothing for ever.
    fn half_a_body() -> impl tokio_stream::Stream<Item = Result<Bytes, std::io::Error>> {
        use tokio_stream::StreamExt as _;
        tokio_stream::iter([Ok(Bytes::from_static(b"{"))]).chain(tokio_stream::pending())
    }
}
