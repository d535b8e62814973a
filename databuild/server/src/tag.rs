//! What answers are recognized by: `ETag`, and 304 for who has an answer already.
//!
//! A tag has when the server started, the position of the log before the answer was worked out, what the client may ask for, and a
//! digest of what the answer says. What follows from the log alone is not worked out for who has it as of that position. What depends on the clock, on files or on what
//! the machine has is compared by its digest, as is all else after another event.
//!
//! A page also has how long ago things were, which moves by the second. Its tag leaves these texts out, since whoever has the page
//! counts them on, and has the minute instead, for who has no script. All else that a page shows is in the digest, also what is its
//! viewer's alone: nobody has it but who has seen the same.

use super::asker::Asker;
use super::next::Next;
use super::state::App;
use axum::body::{to_bytes, Body};
use axum::extract::Request;
use axum::http::response::Parts;
use axum::http::{header, HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use databuild_core::digest::sha256_hex;

/// Digits of a digest that stand in a tag.
const DIGITS: usize = 32;
/// Digits of a digest of rights.
const RIGHTS: usize = 8;

/// Tags what a GET answers.
pub(super) async fn tagged(app: &App, request: Request, next: impl Next) -> Response {
    let known = known(request.headers());
    let seq = app.backend.engine.snapshot().state.seq().0;
    let rights = rights(request.extensions().get());
    let since = format!("{:x}.{seq}{rights}", app.backend.started_at.as_millisecond());
    let as_of = |tag: &&String| tag.trim_matches('"').split_once('-').is_some_and(|(of, _)| of == since);
    if let Some(tag) = known.iter().find(as_of).filter(|_| follows_from_the_log(request.uri().path())) {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer.headers_mut().extend(HeaderValue::from_str(tag).map(|tag| (header::ETAG, tag)));
        return answer;
    }
    answered(next.run(request).await, &known, |body| {
        let digest = sha256_hex(body);
        format!("{since}-{}", &digest[..DIGITS])
    })
    .await
}

/// Tags what a GET of a page answers.
pub(super) async fn tagged_page(request: Request, next: impl Next) -> Response {
    let known = known(request.headers());
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let minute = crate::os::now().as_second().div_euclid(60);
    answered(response, &known, |body| {
        let digest = sha256_hex(&lasting(body, minute));
        format!("page-{}", &digest[..DIGITS])
    })
    .await
}

/// An answer with its tag, or that who asks has it.
async fn answered(response: Response, known: &[String], tag: impl FnOnce(&[u8]) -> String) -> Response {
    // Streams have no end that could be waited for.
    let whole = axum::body::HttpBody::size_hint(response.body()).exact().is_some();
    if response.status() != StatusCode::OK || !whole {
        return response;
    }
    // Some know a tag by which nobody has to look at all bytes.
    if let Some(own) = response.headers().get(header::ETAG) {
        let has = known.iter().any(|known| known == "*" || known.as_bytes() == own.as_bytes());
        return if has { without_body(response.into_parts().0) } else { response };
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        head.status = StatusCode::INTERNAL_SERVER_ERROR;
        return Response::from_parts(head, Body::empty());
    };
    let tag = tag(&body);
    // Who asks again with an older tag of the same bytes has them.
    let digest = |tag: &str| tag.trim_matches('"').split('-').nth(1).map(str::to_owned);
    let has = known.iter().any(|known| known == "*" || digest(known) == digest(&tag));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        head.headers.insert(header::ETAG, tag);
    }
    head.headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    if !has {
        return Response::from_parts(head, body.into());
    }
    without_body(head)
}

/// What is told who has the answer.
fn without_body(mut head: Parts) -> Response {
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.remove(header::CONTENT_TYPE);
    Response::from_parts(head, Body::empty())
}

/// What a page says that lasts for a minute: all of it but how long ago something was, and the minute if it says any such thing.
fn lasting(page: &[u8], minute: i64) -> Vec<u8> {
    let find = |bytes: &[u8], sought: &[u8]| bytes.windows(sought.len()).position(|part| part == sought);
    let (mut kept, mut rest, mut moves) = (Vec::with_capacity(page.len()), page, false);
    while let Some(begin) = find(rest, b"<time ") {
        // What others said is escaped, so this ends the tag.
        let Some(length) = rest[begin..].iter().position(|byte| *byte == b'>') else { break };
        let (before, after) = rest.split_at(begin + length);
        kept.extend_from_slice(before);
        let counts_on = before.ends_with(b" data-ago") || before.ends_with(b" data-since");
        let end = if counts_on { find(after, b"</time>").unwrap_or(0) } else { 0 };
        moves |= counts_on;
        rest = &after[end..];
    }
    kept.extend_from_slice(rest);
    if moves {
        kept.extend_from_slice(&minute.to_le_bytes());
    }
    kept
}

/// What a client may ask for, in a tag: who has another token has another answer, or none.
fn rights(asker: Option<&Asker>) -> String {
    let Some(Asker::Holder { scopes, datasets, .. }) = asker else { return String::new() };
    format!(".{}", &sha256_hex(format!("{scopes:?} {datasets:?}").as_bytes())[..RIGHTS])
}

/// Whether nothing but an event changes what is at a path.
fn follows_from_the_log(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
    // A drawing may say how many partitions there are, and time brings keys.
    path.starts_with("/api/v1/")
        && parts != ["graph", "drawing"]
        && matches!(parts[..], ["runs"] | ["runs", _] | ["events"] | ["graph" | "graphs", ..])
}

/// The tags of answers that the client has.
fn known(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let each = values.flat_map(|value| value.split(','));
    each.map(|tag| tag.trim().trim_start_matches("W/").to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fuzz::Server;
    use super::*;
    use databuild_core::event::Scope;
    use std::collections::BTreeSet;

    #[test]
    fn a_tag_is_for_who_may_ask_for_the_same() {
        let holder = |scope, datasets: &[&str]| Asker::Holder {
            name: "t".into(),
            scopes: vec![scope],
            datasets: datasets.iter().map(|text| (*text).to_owned()).collect(),
        };
        let all = [
            Asker::Owner,
            holder(Scope::Read, &[]),
            holder(Scope::Admin, &[]),
            holder(Scope::Read, &["eu_*"]),
            holder(Scope::Read, &["eu", "_*"]),
        ];
        let told: BTreeSet<String> = all.iter().map(|asker| rights(Some(asker))).collect();
        assert_eq!(told.len(), all.len(), "{told:?}");
        assert!(told.iter().all(|rights| !rights.contains('-')), "{told:?}");
        assert_eq!(rights(Some(&Asker::Owner)), rights(None));
    }

    #[test]
    fn a_page_lasts_for_a_minute_whatever_is_counted_on_in_it() {
        let now = |second: i64| jiff::Timestamp::from_second(second).unwrap();
        let page = |at: &str, seconds: i64| {
            use databuild_ui::parts::time::{ago, since};
            let (ago, since) = (ago(at, now(seconds)), since(at, now(seconds)));
            format!("<p>{}</p><time datetime=\"x\">y</time>{}<b>", ago.into_string(), since.into_string())
        };
        let lasting = |page: &str, minute| lasting(page.as_bytes(), minute);
        let (one, later) = (page("1970-01-01T00:00:00Z", 61), page("1970-01-01T00:00:00Z", 119));
        assert_ne!(one, later);
        assert_eq!(lasting(&one, 1), lasting(&later, 1));
        assert_ne!(lasting(&one, 1), lasting(&one, 2));
        assert_ne!(
            lasting(&one, 1),
            lasting(&page("1970-01-01T00:00:01Z", 61), 1),
            "it is of something else"
        );
        for whole in ["<p>1</p>", "<time datetime=\"a\">1</time>", "<time ", "<time data-ago>"] {
            assert_eq!(lasting(whole, 1)[..whole.len()], *whole.as_bytes());
        }
        assert_eq!(lasting("<p>1</p>", 1), lasting("<p>1</p>", 2));
    }

    #[test]
    fn who_has_an_answer_is_told_so_until_it_changes() {
        let server = Server::start();
        let get = |path: &str, tag: &str| {
            let known =
                if tag.is_empty() { String::new() } else { format!("If-None-Match: \"x\", W/{tag}\r\n") };
            let answer = server.send(&server.request_with("GET", path, &known, ""), true);
            let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            let found =
                answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned();
            let body = answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
            (status, found, body)
        };
        let paths = ["/api/v1/errors", "/api/v1/runs", "/api/v1/wants", "/api/v1/datasets", "/api/v1/graph"];
        for path in paths {
            let (status, tag, _) = get(path, "");
            assert_eq!((status.as_str(), tag.is_empty()), ("200", false), "{path}");
            assert_eq!(get(path, &tag), ("304".to_owned(), tag.clone(), 0), "{path}");
            assert_eq!(get(path, "\"0.0-00\"").0, "200", "{path}");
        }
        let before = paths.map(|path| (path, get(path, "").1));
        let body = r#"{"targets":["daily/city=oslo/date=2024-01-01"]}"#;
        let made = server.send(&server.request("POST", "/api/v1/wants", body), true);
        assert!(made.starts_with("HTTP/1.1 201") && !made.contains("etag:"), "{made}");
        for (path, tag) in before {
            let same = ["/api/v1/errors", "/api/v1/graph"].contains(&path);
            assert_eq!(get(path, &tag).0, if same { "304" } else { "200" }, "{path}");
        }
        assert_eq!(get("/api/v1/runs/r99", "*").0, "404");
    }

    #[tokio::test]
    async fn an_answer_that_brings_its_tag_along_is_recognized_by_it() {
        let answer = || {
            let body = Response::builder().header(header::ETAG, "\"log-1\"").header("x-log-next", "1-0");
            body.body(Body::from("line")).unwrap()
        };
        let told = |known: &'static str| async move {
            let known = [known.to_owned()];
            let answer = answered(answer(), &known, |_| unreachable!("nobody looks at the bytes")).await;
            assert_eq!(answer.headers()["x-log-next"], "1-0");
            answer.status().as_u16()
        };
        assert_eq!([told("\"log-1\"").await, told("*").await, told("\"log-2\"").await], [304, 304, 200]);
    }
}
