//! Answers in fewer bytes, for whoever takes gzip.
//!
//! Only what is whole is packed: a stream tells what it has at once. Bytes of a log come as the job wrote them. A page has what
//! somebody typed into its address beside a token of its forms, and lengths of packed pages could be made to tell of it; but only
//! to who can have a browser ask with its cookie, and that is sent for pages of this server alone (`SameSite=Strict`).

use super::next::Next;
use axum::body::{to_bytes, Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{header, response, HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use flate2::write::GzEncoder;
use flate2::Compression;
use std::io::Write as _;

/// What is smaller fits into a packet anyway.
const LEAST: u64 = 1_024;
/// What is larger takes so long that other requests would notice it, and is packed on a thread that may wait.
const LARGE: usize = 256 << 10;
/// What is packed, without its parameters.
const KINDS: [&str; 5] = ["text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"];

/// Packs answers.
pub(super) async fn packed(request: Request, next: impl Next) -> Response {
    let takes = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_MODIFIED {
        // What was told once may have been packed.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
        return response;
    }
    let whole = response.body().size_hint().exact();
    if !is_packed(response.headers()) || whole.is_none_or(|bytes| bytes < LEAST) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // Whoever keeps answers for others has to know.
    head.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !takes || head.headers.contains_key(header::CONTENT_ENCODING) {
        return Response::from_parts(head, body);
    }
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        head.status = StatusCode::INTERNAL_SERVER_ERROR;
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    };
    let packed = if bytes.len() < LARGE {
        gzip(&bytes)
    } else {
        let own = bytes.clone();
        tokio::task::spawn_blocking(move || gzip(&own)).await.unwrap_or_default()
    };
    if packed.is_empty() || packed.len() >= bytes.len() {
        return Response::from_parts(head, bytes.into());
    }
    say(&mut head, packed.len());
    Response::from_parts(head, Bytes::from(packed).into())
}

/// Says that an answer is packed.
fn say(head: &mut response::Parts, length: usize) {
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    // The tag says that the answers are as good as each other: they are not the same bytes any more.
    let tag = head.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let weak = tag.filter(|tag| !tag.starts_with("W/")).map(|tag| format!("W/{tag}"));
    if let Some(weak) = weak.and_then(|weak| HeaderValue::from_str(&weak).ok()) {
        head.headers.insert(header::ETAG, weak);
    }
}

/// Empty if it cannot be done.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn is_packed(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    KINDS.contains(&kind.split(';').next().unwrap_or_default().trim())
}

/// Whether whoever asks can unpack it.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut named = None;
    for one in all.flat_map(|value| value.split(',')) {
        let mut parts = one.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let takes = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        if coding.eq_ignore_ascii_case("gzip") {
            return takes;
        }
        if coding == "*" {
            named = Some(takes);
        }
    }
    named.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::fuzz::app_with_graph;
    use super::super::router;
    use super::*;
    use axum::http::Uri;
    use flate2::read::GzDecoder;
    use std::io::Read as _;
    use tokio_stream::StreamExt as _;
    use tower::ServiceExt as _;

    #[test]
    fn who_says_gzip_gets_it() {
        for (said, takes) in [
            ("", false),
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.2", true),
            ("gzip;q=0", false),
            ("gzip;Q=0", false),
            ("gzip;Q=0.5", true),
            ("gzip; q=0.000, *", false),
            ("*", true),
            ("*;q=0", false),
            ("identity", false),
            ("gzip;q=x", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(said))]);
            assert_eq!(takes_gzip(&headers), takes, "{said}");
        }
    }

    async fn ask(app: &super::super::App, target: &str, encoding: &str) -> Response {
        let request = Request::get(target.parse::<Uri>().unwrap())
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", app.guard.token.expose()))
            .header("accept-encoding", encoding);
        router(app.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn bytes(answer: Response) -> Bytes {
        to_bytes(answer.into_body(), usize::MAX).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_packed_is_the_same_and_smaller() {
        let (app, _running) = app_with_graph().await;
        let style = databuild_ui::assets::STYLE.path.to_owned();
        for target in ["/", "/datasets/daily", "/graph", "/api/v1/errors", "/api/v1/openapi.json", &style] {
            let (plain, small) = (ask(&app, target, "br").await, ask(&app, target, "gzip, br").await);
            let header = |answer: &Response, name| {
                answer.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned())
            };
            assert_eq!(header(&plain, header::CONTENT_ENCODING), None, "{target}");
            assert_eq!(header(&small, header::CONTENT_ENCODING).as_deref(), Some("gzip"), "{target}");
            for answer in [&plain, &small] {
                assert_eq!(header(answer, header::VARY).as_deref(), Some("accept-encoding"), "{target}");
            }
            if let Some(tag) = header(&small, header::ETAG) {
                assert!(tag.starts_with("W/\""), "{target}: {tag}");
            }
            let length: usize = header(&small, header::CONTENT_LENGTH).unwrap().parse().unwrap();
            let (plain, small) = (bytes(plain).await, bytes(small).await);
            assert_eq!(length, small.len());
            assert!(small.len() * 2 < plain.len(), "{target}: {} of {}", small.len(), plain.len());
            let mut unpacked = Vec::new();
            GzDecoder::new(&*small).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked.len(), plain.len(), "{target}");
        }
    }

    #[tokio::test]
    async fn what_is_small_or_comes_as_it_happens_is_sent_as_it_is() {
        let (app, _running) = app_with_graph().await;
        for target in ["/health", "/metrics", "/api/v1/stats", "/api/v1/runs/r99"] {
            assert!(
                !ask(&app, target, "gzip").await.headers().contains_key(header::CONTENT_ENCODING),
                "{target}"
            );
        }
        for target in ["/live?follow=true&of=runs", "/api/v1/events/stream?after=0"] {
            let answer = ask(&app, target, "gzip").await;
            assert!(!answer.headers().contains_key(header::CONTENT_ENCODING), "{target}");
            // It says something before anything happens, and does not wait for more.
            let first = answer.into_body().into_data_stream().next().await.unwrap().unwrap();
            assert!(first.ends_with(b"\n\n"), "{target}: {first:?}");
        }
    }
}
