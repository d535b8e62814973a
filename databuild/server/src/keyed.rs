//! JSON bodies of requests that may name themselves by the header `Idempotency-Key`.

use super::error::ApiError;
use super::extract::{json, whole};
use axum::extract::{FromRequest, Request};
use databuild_core::digest::sha256_of_texts;
use databuild_core::event::RequestKey;
use serde::de::DeserializeOwned;

/// The header, in lower case.
const HEADER: &str = "idempotency-key";
/// Longest key, in bytes.
const LONGEST: usize = 200;

/// A body with the name that the client gave to its request.
#[derive(Debug)]
pub struct Keyed<T> {
    /// None without the header.
    pub key: Option<RequestKey>,
    /// The body.
    pub body: T,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Keyed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Keyed<T>, ApiError> {
        let name = key(request.headers())?;
        let (parts, bytes) = whole(request, state).await?;
        let key = name.map(|key| {
            let text = String::from_utf8_lossy(&bytes);
            let digest = sha256_of_texts([parts.method.as_str(), parts.uri.path(), &text]);
            RequestKey { key, digest }
        });
        Ok(Keyed { key, body: json(parts, bytes, state).await? })
    }
}

/// The key of a request's headers.
fn key(headers: &axum::http::HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| {
        let good = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        !text.trim().is_empty() && text.len() <= LONGEST && text.bytes().all(good)
    });
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        (None, _) | (_, Some(_)) => Err(ApiError::new(
            "bad_idempotency_key",
            format!("send one Idempotency-Key of 1 to {LONGEST} printable ASCII characters"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{plans, trials, wants};
    use axum::http::{HeaderMap, HeaderValue};
    use databuild_core::ids::PlanId;

    #[test]
    fn a_key_is_short_printable_and_alone() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            key(&headers).map_err(|_| ())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["nightly 7"]), Ok(Some("nightly 7".to_owned())));
        let longest = "k".repeat(LONGEST);
        assert_eq!(of(&[&longest]), Ok(Some(longest.clone())));
        for bad in [&["".to_owned()], &[" ".to_owned()], &[longest.clone() + "k"], &["é".to_owned()]] {
            assert_eq!(of(&[&bad[0]]), Err(()), "{bad:?}");
        }
        assert_eq!(of(&["a", "b"]), Err(()));
    }

    /// Whatever a request makes, it makes once.
    #[tokio::test]
    async fn a_request_sent_again_makes_nothing_more() {
        let (app, _running) = super::super::fuzz::app_with_graph().await;
        let key = |of: &str| Some(RequestKey { key: of.to_owned(), digest: "d".to_owned() });
        let day = r#"{"targets": ["daily/city=oslo/date=2024-01-01"]}"#;
        let verify = r#"{"kind": "verify", "targets": ["daily/city=oslo/date=2024-01-01"]}"#;
        let invoke = r#"{"job": "make", "targets": ["daily/city=oslo/date=2024-01-01"]}"#;
        for repeated in [false, true] {
            let want = wants::create(&app, serde_json::from_str(day).unwrap(), key("want")).await.unwrap();
            assert_eq!((want.made.want.id.as_str(), want.repeated), ("w1", repeated));
            let invoked =
                wants::invoke(&app, serde_json::from_str(invoke).unwrap(), key("invoke")).await.unwrap();
            assert_eq!((invoked.made.want.id.as_str(), invoked.repeated), ("w2", repeated));
            let plan = plans::create(&app, serde_json::from_str(day).unwrap(), key("plan")).await.unwrap();
            assert_eq!((plan.made.id.as_deref(), plan.repeated), (Some("p1"), repeated));
            let apply = plans::apply(&app, PlanId(1), serde_json::from_str("{}").unwrap(), key("apply"));
            let applied = apply.await.unwrap();
            assert_eq!((applied.made.want.id.as_str(), applied.repeated), ("w3", repeated));
            let trial =
                trials::create(&app, serde_json::from_str(verify).unwrap(), key("trial")).await.unwrap();
            assert_eq!((trial.made.trial.id.as_str(), trial.repeated), ("t1", repeated));
        }
        let other = Some(RequestKey { key: "trial".to_owned(), digest: "other".to_owned() });
        let reused = trials::create(&app, serde_json::from_str(verify).unwrap(), other).await.unwrap_err();
        assert_eq!(reused.code(), "idempotency_key_reused");
        assert!(reused.to_string().contains("made t1"), "{reused}");
    }

    #[tokio::test]
    async fn the_digest_is_of_route_and_body() {
        let digest = |path: &str, body: &str| {
            let request = Request::post(path)
                .header(HEADER, "k")
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.to_owned()))
                .unwrap();
            async move {
                let found = Keyed::<serde_json::Value>::from_request(request, &()).await;
                found.unwrap().key.unwrap().digest
            }
        };
        let first = digest("/wants", "{\"a\": 1}").await;
        assert_eq!(digest("/wants", "{\"a\": 1}").await, first);
        assert_ne!(digest("/wants", "{\"a\": 2}").await, first);
        assert_ne!(digest("/jobs/invoke", "{\"a\": 1}").await, first);
    }
}
