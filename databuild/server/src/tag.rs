//! What answers are recognized by: `ETag`, and 304 for who has an answer already.
//!
//! Invariants:
//! - A tag is a digest of what is told, so that it holds as long as that is the same: whatever happens meanwhile, and also after the server
//!   came back.
//! - 304 is told only where an answer with 200 and that very tag would be told. What follows from the log alone is not worked out
//!   again for that before the next event: of such answers the server knows which tags it gave ([`Given`]).
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
use axum::http::{header, HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use databuild_core::digest::sha256_hex;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Digits of a digest that stand in a tag.
const DIGITS: usize = 32;
/// Tags that are remembered. Beyond that answers are worked out again, which costs only time.
const MOST_GIVEN: usize = 4_096;

/// Tags that were given since the last event, of answers that follow from the log alone.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<Tags>);

#[derive(Debug, Default)]
struct Tags {
    /// The last event by then.
    seq: u64,
    /// By the digest of what was asked, and by whom.
    by_asked: HashMap<String, String>,
}

impl Given {
    /// The tag of what was asked for, if no event has come since.
    fn tag(&self, seq: u64, asked: &str) -> Option<String> {
        let tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tags.by_asked.get(asked).filter(|_| tags.seq == seq).cloned()
    }

    /// Remembers a tag of an answer that was worked out after the event `seq`.
    fn note(&self, seq: u64, asked: String, tag: String) {
        let mut tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seq > tags.seq {
            *tags = Tags { seq, by_asked: HashMap::new() };
        }
        if seq == tags.seq && tags.by_asked.len() < MOST_GIVEN {
            tags.by_asked.insert(asked, tag);
        }
    }
}

/// Tags what a GET answers.
pub(super) async fn tagged(app: &App, given: &Given, request: Request, next: impl Next) -> Response {
    let known = Known::of(request.headers());
    let seq = app.backend.engine.snapshot().state.seq().0;
    let asked = asked(request.uri(), request.extensions().get());
    if let Some(tag) = asked.as_ref().and_then(|asked| given.tag(seq, asked)) {
        if let Some(tag) = known.shown(&tag) {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer.headers_mut().insert(header::ETAG, tag);
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return answer;
        }
    }
    let (answer, tag) =
        answered(next.run(request).await, &known, |body| sha256_hex(body)[..DIGITS].to_owned()).await;
    if let (Some(asked), Some(tag)) = (asked, tag) {
        given.note(seq, asked, tag);
    }
    answer
}

/// Tags what a GET of a page answers.
pub(super) async fn tagged_page(request: Request, next: impl Next) -> Response {
    let known = Known::of(request.headers());
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let minute = crate::os::now().as_second().div_euclid(60);
    let (answer, _) = answered(response, &known, |body| {
        let digest = sha256_hex(&lasting(body, minute));
        format!("page-{}", &digest[..DIGITS])
    })
    .await;
    answer
}

/// An answer with its tag, or that who asks has it; and the tag, if it has one.
async fn answered(
    response: Response,
    known: &Known,
    tag: impl FnOnce(&[u8]) -> String,
) -> (Response, Option<String>) {
    // Streams have no end that could be waited for.
    let whole = axum::body::HttpBody::size_hint(response.body()).exact().is_some();
    if response.status() != StatusCode::OK || !whole {
        return (response, None);
    }
    // Some know a tag by which nobody has to look at all bytes.
    if let Some(own) = response.headers().get(header::ETAG) {
        let own = own.to_str().unwrap_or_default().trim_matches('"').to_owned();
        let Some(shown) = known.shown(&own) else { return (response, None) };
        let mut head = response.into_parts().0;
        head.headers.insert(header::ETAG, shown);
        return (without_body(head), None);
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        head.status = StatusCode::INTERNAL_SERVER_ERROR;
        return (Response::from_parts(head, Body::empty()), None);
    };
    let tag = tag(&body);
    let has = known.shown(&tag);
    if let Some(shown) = has.clone().or_else(|| HeaderValue::from_str(&format!("\"{tag}\"")).ok()) {
        head.headers.insert(header::ETAG, shown);
    }
    head.headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    if has.is_none() {
        return (Response::from_parts(head, body.into()), Some(tag));
    }
    (without_body(head), Some(tag))
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

/// What is asked for and by whom, if nothing but an event changes the answer. Who may see other datasets is told other things.
fn asked(uri: &Uri, asker: Option<&Asker>) -> Option<String> {
    let datasets = match asker {
        Some(Asker::Holder { datasets, .. }) => datasets.as_slice(),
        _ => &[],
    };
    let target = uri.path_and_query()?.as_str();
    follows_from_the_log(uri.path()).then(|| sha256_hex(format!("{target} {datasets:?}").as_bytes()))
}

/// Whether nothing but an event changes what is at a path.
fn follows_from_the_log(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
    // A drawing may say how many partitions there are, and time brings keys.
    path.starts_with("/api/v1/")
        && parts != ["graph", "drawing"]
        && matches!(parts[..], ["runs"] | ["runs", _] | ["events"] | ["graph" | "graphs", ..])
}

/// Which answers whoever asks has, by `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// Any: `*`.
    Any,
    /// Those with these tags: what stands between the quotes, and whether the tag is weak.
    Tags(Vec<(String, bool)>),
}

impl Known {
    /// What is no list of tags says nothing.
    fn of(headers: &HeaderMap) -> Known {
        let values = headers.get_all(header::IF_NONE_MATCH).iter().map(|value| value.to_str().unwrap_or("?"));
        let all = values.collect::<Vec<_>>().join(",");
        match all.trim() {
            "*" => Known::Any,
            all => Known::Tags(tags(all).unwrap_or_default()),
        }
    }

    /// The tag as a header says it to who has the answer with this one; none if they do not. A weak one is as good here: bytes that were
    /// packed have it.
    fn shown(&self, tag: &str) -> Option<HeaderValue> {
        let weak = match self {
            Known::Any => false,
            Known::Tags(tags) => tags.iter().find(|(known, _)| known == tag)?.1,
        };
        HeaderValue::from_str(&format!("{}\"{tag}\"", if weak { "W/" } else { "" })).ok()
    }
}

/// The tags of a list of them; none if it is not one.
fn tags(mut text: &str) -> Option<Vec<(String, bool)>> {
    let mut tags = Vec::new();
    loop {
        text = text.trim_start_matches([',', ' ', '\t']);
        if text.is_empty() {
            return Some(tags);
        }
        let (weak, quoted) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let (tag, rest) = quoted.strip_prefix('"')?.split_once('"')?;
        let ends = rest.trim_start_matches([' ', '\t']);
        if tag.contains(' ') || !(ends.is_empty() || ends.starts_with(',')) {
            return None;
        }
        tags.push((tag.to_owned(), weak));
        text = ends;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fuzz::Server;
    use super::*;

    #[test]
    fn what_is_remembered_of_answers_ends_with_the_next_event() {
        let given = Given::default();
        let some = |datasets: &[&str]| Asker::Holder {
            name: "t".into(),
            scopes: Vec::new(),
            datasets: datasets.iter().map(|text| (*text).to_owned()).collect(),
        };
        let asked = |target: &str, asker: &Asker| asked(&target.parse().unwrap(), Some(asker));
        let (runs, all) = ("/api/v1/runs?limit=1", Asker::Owner);
        assert_eq!(asked(runs, &some(&[])), asked(runs, &all));
        assert_eq!(asked("/api/v1/stats", &all), None);
        let own = asked(runs, &all).unwrap();
        for (target, asker) in
            [(runs, some(&["eu_*"])), ("/api/v1/runs?limit=2", all.clone()), ("/api/v1/runs", all)]
        {
            assert_ne!(asked(target, &asker).unwrap(), own, "{target}");
        }
        given.note(7, own.clone(), "a".to_owned());
        assert_eq!((given.tag(7, &own), given.tag(8, &own)), (Some("a".to_owned()), None));
        given.note(8, "other".to_owned(), "b".to_owned());
        given.note(7, own.clone(), "a".to_owned());
        assert_eq!((given.tag(7, &own), given.tag(8, &own)), (None, None));
        for number in 0..2 * MOST_GIVEN {
            given.note(9, number.to_string(), "c".to_owned());
        }
        assert_eq!(given.0.lock().unwrap().by_asked.len(), MOST_GIVEN);
    }

    #[test]
    fn if_none_match_is_read_as_the_standard_says() {
        let known = |values: &[&'static str]| {
            let each = values.iter().map(|value| (header::IF_NONE_MATCH, HeaderValue::from_static(value)));
            let mut headers = HeaderMap::new();
            each.for_each(|(name, value)| _ = headers.append(name, value));
            Known::of(&headers)
        };
        let shown = |values: &[&'static str]| {
            known(values).shown("a").map(|value| value.to_str().unwrap().to_owned())
        };
        for has in [&["\"a\""][..], &["*"], &[" \"x\" , \"a\""], &["\"b\"", "\"a\""], &["\"x,y\",\"a\","]] {
            assert_eq!(shown(has).as_deref(), Some("\"a\""), "{has:?}");
        }
        assert_eq!(shown(&["\"b\", W/\"a\""]).as_deref(), Some("W/\"a\""));
        for has_not in [
            &["a"][..],
            &["\"b\""],
            &["\"a"],
            &["w/\"a\""],
            &["\"a\" x"],
            &["*, \"a\""],
            &["\"b\" \"a\""],
            &["\"x,a\""],
            &[""],
            &[],
        ] {
            assert_eq!(shown(has_not), None, "{has_not:?}");
        }
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

    /// Status, tag, length as the head says it, and bytes of the body.
    fn ask(server: &Server, method: &str, path: &str, known: &str) -> (u16, String, String, usize) {
        let known = if known.is_empty() { String::new() } else { format!("If-None-Match: {known}\r\n") };
        let answer = server.send(&server.request_with(method, path, &known, ""), true);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let header =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            header("etag: "),
            header("content-length: "),
            body.len(),
        )
    }

    #[test]
    fn who_has_an_answer_is_told_so_until_it_changes() {
        let server = Server::start();
        let paths = ["/api/v1/errors", "/api/v1/runs", "/api/v1/wants", "/api/v1/datasets", "/api/v1/graph"];
        let before = paths.map(|path| (path, ask(&server, "GET", path, "").1));
        for (path, tag) in &before {
            assert!(tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
            // The second time it is remembered.
            for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned(), tag.clone()] {
                let (status, told, _, body) = ask(&server, "GET", path, &known);
                let same = told.trim_start_matches("W/");
                assert_eq!((status, same, body), (304, tag.as_str(), 0), "{path} {known}");
            }
            for other in ["\"0-00\"", tag.trim_matches('"'), &tag[..tag.len() - 1]] {
                assert_eq!(ask(&server, "GET", path, other).0, 200, "{path} {other}");
            }
        }
        let body = r#"{"targets":["daily/city=oslo/date=2024-01-01"]}"#;
        let made = server.send(&server.request("POST", "/api/v1/wants", body), true);
        assert!(made.starts_with("HTTP/1.1 201") && !made.contains("etag:"), "{made}");
        for (path, tag) in before {
            let same = ["/api/v1/errors", "/api/v1/graph"].contains(&path);
            assert_eq!(ask(&server, "GET", path, &tag).0, if same { 304 } else { 200 }, "{path}");
        }
    }

    #[test]
    fn a_tag_says_nothing_of_other_answers() {
        let server = Server::start();
        let tag = ask(&server, "GET", "/api/v1/runs", "").1;
        for (path, status) in [
            ("/api/v1/runs?limit=1", 304),
            ("/api/v1/events", 200),
            ("/api/v1/graphs", 200),
            ("/api/v1/runs/r99", 404),
            ("/api/v1/runs?limit=0", 422),
            ("/api/v1/runs?cursor=x", 422),
            ("/api/v1/graphs/nothing", 404),
        ] {
            assert_eq!(ask(&server, "GET", path, &tag).0, status, "{path}: the same bytes have the same tag");
            let any = if status < 400 { 304 } else { status };
            assert_eq!(ask(&server, "GET", path, "*").0, any, "{path}");
        }
    }

    #[test]
    fn a_head_is_that_of_its_get() {
        let server = Server::start();
        for path in [
            "/api/v1/runs",
            "/api/v1/stats",
            "/api/v1/errors",
            "/api/v1/runs/r99",
            "/metrics",
            "/health",
            "/nowhere",
        ] {
            let (status, tag, length, bytes) = ask(&server, "GET", path, "");
            assert_eq!(bytes.to_string(), length, "{path}");
            let head = ask(&server, "HEAD", path, "");
            if path != "/metrics" {
                assert_eq!(head, (status, tag.clone(), length, 0), "{path}");
            }
            assert_eq!((head.0, head.3), (status, 0), "{path}");
            // What is measured is another the next time.
            if !tag.is_empty() && path != "/metrics" {
                let same = ask(&server, "HEAD", path, &tag);
                assert_eq!((same.0, same.1, same.3), (304, tag, 0), "{path}");
            }
        }
        // It ends, though what it is about does not.
        assert_eq!(ask(&server, "HEAD", "/api/v1/events/stream?after=0", "").0, 200);
    }

    #[tokio::test]
    async fn an_answer_that_brings_its_tag_along_is_recognized_by_it() {
        let answer = || {
            let body = Response::builder().header(header::ETAG, "\"log-1\"").header("x-log-next", "1-0");
            body.body(Body::from("line")).unwrap()
        };
        let told = |known: &'static str| async move {
            let headers = [(header::IF_NONE_MATCH, HeaderValue::from_static(known))].into_iter().collect();
            let known = Known::of(&headers);
            let (answer, _) = answered(answer(), &known, |_| unreachable!("nobody looks at the bytes")).await;
            assert_eq!(answer.headers()["x-log-next"], "1-0");
            answer.status().as_u16()
        };
        assert_eq!([told("\"log-1\"").await, told("*").await, told("\"log-2\"").await], [304, 304, 200]);
    }
}
