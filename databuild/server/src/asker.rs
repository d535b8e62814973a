//! Who asks, by what they can show, and what they may ask for.
//!
//! Invariants:
//! - A request that no row here knows needs `admin`.
//! - Whose token is for some datasets reaches nothing that is not known to be about those alone.

use super::error::ApiError;
use super::extract::whole;
use super::sessions::{Session, SignedOut};
use super::state::App;
use crate::app::tokens::hash_of;
use crate::app::Context as _;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{header, HeaderMap, Method, Uri};
use databuild_core::event::Scope;
use databuild_core::state::Token;
use databuild_core::word::Word as _;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asker {
    /// The user that the server runs as, or a program that has their token.
    Owner,
    /// Who has a token that was created for them.
    Holder {
        /// Of the token.
        name: Arc<str>,
        /// What it is for.
        scopes: Vec<Scope>,
        /// Patterns of datasets that it is for; all, if none.
        datasets: Vec<String>,
    },
}

/// What a request shows. `private` is said of its connection, not by it.
pub(super) fn of(app: &App, private: bool, headers: &HeaderMap) -> Option<Asker> {
    if private || app.guard.token_fits(headers) {
        return Some(Asker::Owner);
    }
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let hash = hash_of(value.strip_prefix("Bearer ")?);
    let snapshot = app.backend.engine.snapshot();
    let (name, token) = snapshot.state.tokens().by_hash(&hash, crate::os::now())?;
    Some(holder(name, token))
}

fn holder(name: &str, token: &Token) -> Asker {
    let datasets = token.datasets.clone();
    Asker::Holder { name: name.into(), scopes: token.scopes().collect(), datasets }
}

/// Who asks by a browser that is signed in: whoever gave it the link, if that may ask still.
pub(super) fn of_session(app: &App, session: &Session) -> Result<Asker, SignedOut> {
    let Some(name) = &session.token else { return Ok(Asker::Owner) };
    let snapshot = app.backend.engine.snapshot();
    let token = snapshot.state.tokens().get(name).filter(|token| token.is_good(crate::os::now()));
    token.map(|token| holder(name, token)).ok_or(SignedOut::TokenEnded)
}

impl Asker {
    /// Whether it may ask still.
    pub(super) fn is_good(&self, app: &App) -> bool {
        let Asker::Holder { name, .. } = self else { return true };
        let snapshot = app.backend.engine.snapshot();
        snapshot.state.tokens().get(name).is_some_and(|token| token.is_good(crate::os::now()))
    }

    /// Lets a request through if it may be answered.
    pub(super) async fn pass(&self, app: &App, request: Request) -> Result<Request, ApiError> {
        let Asker::Holder { name, scopes, datasets } = self else { return Ok(request) };
        let needed = needed(request.method(), request.uri().path());
        if !scopes.iter().any(|scope| scope.includes(needed)) {
            let message =
                format!("the token `{name}` is not for this: it would need the scope `{}`", needed.word());
            return Err(ApiError::new("scope_missing", message).with("scope", needed.word()));
        }
        // Whoever gets in by its link may see no more than itself.
        let is_link = segments(request.uri().path()) == ["sign-in-links"];
        if datasets.is_empty() || is_link {
            return Ok(request);
        }
        let (request, named) = about(app, request).await?;
        let outside = || {
            ApiError::new("outside_of_token", format!(
            "the token `{name}` is for the datasets {} alone, and this request is not known to be about them alone",
            datasets.join(", ")
        ))
        };
        match named {
            Some(named) if !named.is_empty() && named.iter().all(|one| is_within(datasets, one)) => {
                Ok(request)
            }
            _ => Err(outside()),
        }
    }
}

/// The segments of a path below where the API is.
fn segments(path: &str) -> Vec<&str> {
    let below = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/api/")).unwrap_or(path);
    below.split('/').filter(|part| !part.is_empty()).collect()
}

/// What a request needs.
fn needed(method: &Method, path: &str) -> Scope {
    let parts = segments(path);
    match (method.as_str(), parts.as_slice()) {
        (_, ["tokens", ..] | ["server", "settings"]) => Scope::Admin,
        ("GET" | "HEAD", _)
        | ("POST", ["contents", "missing"] | ["graphs", "impact"] | ["graphs", _, "sources"])
        // Whoever gets in by it may do what who asks for it may; and that failures were seen is for one's own page.
        | ("POST", ["sign-in-links"] | ["seen"])
        // What its tools need is looked at there.
        | ("POST", ["mcp"]) => Scope::Read,
        ("POST", ["wants" | "plans" | "trials"] | ["wants", "batch"] | ["jobs", "invoke"] | ["plans", _, "apply"])
        // The form of a page.
        | ("POST", ["plans", _]) => Scope::Want,
        ("DELETE", ["wants" | "runs" | "job_runs" | "trials", _])
        | ("POST", ["wants", _, "pause" | "resume" | "priority"])
        // Forms of pages.
        | ("POST", ["wants" | "runs", _])
        | ("POST", ["keys", _] | ["keys", _, "retire"] | ["scan"] | ["gc"])
        | ("PUT", ["pools"] | ["server", "slots"]) => Scope::Operate,
        ("POST", ["accept" | "taint" | "untaint" | "adopt"]) => Scope::Approve,
        _ => Scope::Admin,
    }
}

/// The references that a request is about, if it is one of those that are about references alone.
async fn about(app: &App, request: Request) -> Result<(Request, Option<Vec<String>>), ApiError> {
    let method = request.method().clone();
    let parameter = match (method.as_str(), segments(request.uri().path()).as_slice()) {
        ("GET", ["partitions"]) => "ref",
        ("GET", ["why"]) => "partition",
        ("POST", ["wants" | "plans"]) => {
            let (parts, bytes) = whole(request, &()).await?;
            let targets = targets(&bytes);
            return Ok((Request::from_parts(parts, Body::from(bytes)), targets));
        }
        (_, ["wants", id, ..]) => {
            let Ok(id) = id.parse() else { return Ok((request, None)) };
            let found = app.quick(move |_, reader| Ok(reader.want(id)?.value)).await?;
            return Ok((request, found.map(|want| want.targets)));
        }
        _ => return Ok((request, None)),
    };
    let named = parameters(request.uri(), parameter);
    Ok((request, Some(named)))
}

/// All values of a parameter.
fn parameters(uri: &Uri, name: &str) -> Vec<String> {
    let text = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| text(key) == name).map(|(_, value)| text(value)).collect()
}

/// The targets of a request for partitions; none if they are not all texts.
fn targets(body: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Targets {
        targets: Vec<String>,
    }
    serde_json::from_slice::<Targets>(body).ok().map(|body| body.targets)
}

/// Whether a reference is of a dataset that one of the patterns means.
fn is_within(patterns: &[String], reference: &str) -> bool {
    let is_dataset = |part: &&str| !part.contains('=');
    let dataset: Vec<&str> = reference.split('/').take_while(is_dataset).collect();
    patterns.iter().any(|pattern| matches(pattern, &dataset.join("/")))
}

/// Whether a pattern, in which `*` is any text, means a name. What stands between two of them is taken where it comes first, so
/// the work grows with the name alone.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = name.strip_prefix(head).and_then(|left| left.strip_suffix(tail)) else {
        return false;
    };
    for part in middle.split('*') {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_needs() {
        let rows = [
            ("GET", "/api/v1/wants", Scope::Read),
            ("GET", "/metrics", Scope::Read),
            ("GET", "/api/v1/tokens", Scope::Admin),
            ("GET", "/api/v1/server/settings", Scope::Admin),
            ("GET", "/api/v1/server/disk", Scope::Read),
            ("GET", "/api/v1/queue", Scope::Read),
            ("POST", "/api/v1/graphs/impact", Scope::Read),
            ("POST", "/api/wants", Scope::Want),
            ("POST", "/api/v1/wants/batch", Scope::Want),
            ("POST", "/api/v1/plans/p1/apply", Scope::Want),
            ("POST", "/plans/p1", Scope::Want),
            ("POST", "/wants/w1", Scope::Operate),
            ("POST", "/runs/r1", Scope::Operate),
            ("POST", "/seen", Scope::Read),
            ("POST", "/api/v1/sign-in-links", Scope::Read),
            ("DELETE", "/api/wants/w1", Scope::Operate),
            ("POST", "/api/v1/wants/w1/pause", Scope::Operate),
            ("PUT", "/api/v1/pools", Scope::Operate),
            ("POST", "/api/v1/taint", Scope::Approve),
            ("POST", "/api/v1/graphs", Scope::Admin),
            ("POST", "/api/v1/server/shutdown", Scope::Admin),
            ("POST", "/api/v1/what-comes-later", Scope::Admin),
            ("POST", "/api/v1//wants", Scope::Want),
        ];
        for (method, path, scope) in rows {
            assert_eq!(
                needed(&Method::from_bytes(method.as_bytes()).unwrap(), path),
                scope,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn patterns_mean_names_of_datasets() {
        let within = |patterns: &[&str], reference: &str| {
            is_within(&patterns.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), reference)
        };
        assert!(within(&["sales"], "sales") && within(&["sales"], "sales/day=2024-01-01"));
        assert!(within(&["x", "eu_*"], "eu_sales/day=2024-01-01") && within(&["*"], "a"));
        assert!(within(&["a*c*"], "abcd") && within(&["sales/*"], "sales/orders/day=1"));
        assert!(!within(&["sales"], "sales2") && !within(&["eu_*"], "us_eu_sales") && !within(&[], "a"));
        assert!(!within(&["a*c"], "abd") && !within(&["ab*ba"], "aba") && !within(&["*b*b*"], "abc"));
    }

    #[tokio::test]
    async fn whose_token_is_for_some_datasets_asks_about_those_alone() {
        let (app, _running) = super::super::fuzz::app_with_graph().await;
        let body = serde_json::json!({ "targets": ["daily/city=oslo/date=2024-01-01"] });
        crate::app::wants::create(&app, serde_json::from_value(body).unwrap(), None).await.unwrap();
        let holder = |scope| Asker::Holder {
            name: "t".into(),
            scopes: vec![scope],
            datasets: vec!["eu_*".to_owned(), "daily".to_owned()],
        };
        let ask = |method: &str, path: &str, body: &str| {
            let request =
                Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
            let app = &app;
            async move { holder(Scope::Want).pass(app, request).await.map_err(|error| error.body.error) }
        };
        for path in [
            "/api/v1/partitions?ref=eu_sales/day%3D1",
            "/api/partitions?x=1&ref=eu_sales",
            "/api/v1/why?partition=eu_a",
        ] {
            assert!(ask("GET", path, "").await.is_ok(), "{path}");
        }
        for path in [
            "/api/v1/partitions",
            "/api/v1/partitions?ref=us_sales",
            "/api/v1/partitions?ref=eu_sales&ref=us_sales",
            "/api/v1/partitions?ref=eu_sales&r%65f=us_sales",
            "/api/v1/datasets",
            "/api/v1/wants",
            "/metrics",
        ] {
            assert_eq!(ask("GET", path, "").await.unwrap_err(), "outside_of_token", "{path}");
        }
        let passed =
            ask("POST", "/api/v1/wants", r#"{"targets": ["eu_sales"], "class": "backfill"}"#).await.unwrap();
        let body = axum::body::to_bytes(passed.into_body(), 1 << 20).await.unwrap();
        assert!(body.ends_with(b"\"backfill\"}"), "the handler gets all of it");
        for body in [r#"{"targets": ["eu_sales", "us_sales"]}"#, r#"{"targets": []}"#, "{}", "x"] {
            assert_eq!(ask("POST", "/api/v1/plans", body).await.unwrap_err(), "outside_of_token", "{body}");
        }
        // A want is about what it asks for.
        assert!(ask("GET", "/api/v1/wants/w1/progress?wait_ms=1", "").await.is_ok());
        for path in ["/api/v1/wants/w2", "/api/v1/wants/x/why"] {
            assert_eq!(ask("GET", path, "").await.unwrap_err(), "outside_of_token", "{path}");
        }
        let others =
            Asker::Holder { name: "o".into(), scopes: vec![Scope::Read], datasets: vec!["eu_*".to_owned()] };
        let request = Request::get("/api/wants/w1").body(Body::empty()).unwrap();
        assert_eq!(others.pass(&app, request).await.unwrap_err().body.error, "outside_of_token");
        assert_eq!(ask("POST", "/api/v1/taint", "{}").await.unwrap_err(), "scope_missing");
    }
}
