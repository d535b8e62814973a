//! Who asks, by what they can show, and what they may ask for.
//!
//! Invariants:
//! - A request that no row here knows needs `admin`.
//! - Whose token is for some datasets sees nothing of others: what a request names has to be theirs, lists and counts are of theirs
//!   ([`crate::app::audience`]), and what is about all that there is is refused.

mod pages;

use super::error::ApiError;
use super::extract::whole;
use super::sessions::{Session, SignedOut};
use super::state::App;
use crate::app::audience::Audience;
use crate::app::subjects::{check, Subject};
use crate::app::tokens::hash_of;
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
        let Asker::Holder { name, datasets, .. } = self else { return Ok(request) };
        if let Some(needed) = self.lacks(request.method(), request.uri().path()) {
            let message =
                format!("the token `{name}` is not for this: it would need the scope `{}`", needed.word());
            return Err(ApiError::new("scope_missing", message).with("scope", needed.word()));
        }
        if datasets.is_empty() {
            return Ok(request);
        }
        let (request, named) = subjects(request).await?;
        let named = named.ok_or_else(|| {
            let message = format!(
                "the token `{name}` is for the datasets {} alone, and this is about all that there is, or does not say which \
                 datasets it is about",
                datasets.join(", ")
            );
            ApiError::new("outside_of_token", message)
        })?;
        let mut own = app.clone();
        own.backend.audience = self.audience();
        check(&own, named).await?;
        Ok(request)
    }

    /// The scope that a request needs and the token does not have.
    pub(super) fn lacks(&self, method: &Method, path: &str) -> Option<Scope> {
        let Asker::Holder { scopes, .. } = self else { return None };
        let needed = needed(method, path);
        (!scopes.iter().any(|scope| scope.includes(needed))).then_some(needed)
    }

    /// Whether they may read what is at a path of the API though it is about all that there is.
    pub(super) fn may_read_whole(&self, path: &str) -> bool {
        self.audience().sees_all() && self.lacks(&Method::GET, path).is_none()
    }

    /// What they may see.
    pub(super) fn audience(&self) -> Audience {
        match self {
            Asker::Owner => Audience::default(),
            Asker::Holder { datasets, .. } => Audience::of(datasets),
        }
    }
}

/// Whether programs ask for what is at a path, or the route of one.
pub(super) fn is_of_api(path: &str) -> bool {
    path.starts_with("/api/") || ["/health", "/healthz", "/ready", "/metrics", "/mcp"].contains(&path)
}

/// The segments of a path below where the API is.
pub(super) fn segments(path: &str) -> Vec<&str> {
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
        ("POST", ["wants" | "plans" | "trials"] | ["wants", "batch"] | ["jobs", "invoke"] | ["plans", _, "apply"]
            | ["schedules", _, "run"])
        // The form of a page.
        | ("POST", ["plans", _]) => Scope::Want,
        ("DELETE", ["wants" | "runs" | "job_runs" | "trials", _])
        | ("POST", ["wants", _, "pause" | "resume" | "priority"] | ["schedules", _, "pause" | "resume"])
        // Forms of pages.
        | ("POST", ["wants" | "runs", _] | ["automation", ..])
        | ("POST", ["keys", _] | ["keys", _, "retire"] | ["scan"] | ["gc"])
        | ("PUT", ["pools"] | ["server", "slots"]) => Scope::Operate,
        ("POST", ["accept" | "taint" | "untaint" | "adopt"])
        // The form of a page.
        | ("POST", ["changes", _]) => Scope::Approve,
        _ => Scope::Admin,
    }
}

/// What a request of somebody names who may see some datasets alone; none if it cannot be answered to them. What it does not name,
/// such as the rows of a list, is theirs alone: see [`crate::app::audience`].
async fn subjects(request: Request) -> Result<(Request, Option<Vec<Subject>>), ApiError> {
    if !is_of_api(request.uri().path()) {
        return pages::subjects(request).await;
    }
    let path = request.uri().path();
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (method, parts) = (request.method().as_str(), segments(path));
    let named = match (method, parts.as_slice()) {
        (_, ["wants", id, ..]) if *id != "batch" => Some(Subject::Want(decoded(id))),
        (_, ["runs" | "job_runs", id, ..]) => Some(Subject::Run(decoded(id))),
        (_, ["plans", id, ..]) => Some(Subject::Plan(decoded(id))),
        (_, ["trials", id, ..]) => Some(Subject::Trial(decoded(id))),
        ("GET" | "HEAD", ["datasets", _, ..]) => Some(Subject::Dataset(decoded(&parts[1..].join("/")))),
        (_, ["schedules", name, ..]) => Some(Subject::Schedule(decoded(name))),
        ("GET" | "HEAD", ["keys", space]) => Some(Subject::Space(decoded(space))),
        (
            "POST",
            ["wants" | "plans" | "taint" | "untaint" | "accept" | "adopt" | "scan"]
            | ["wants", "batch"]
            | ["jobs", "invoke"],
        ) => {
            let (head, bytes) = whole(request, &()).await?;
            let named = of_body(&bytes);
            return Ok((Request::from_parts(head, Body::from(bytes)), named));
        }
        // Whoever gets in by such a link may see no more than who asks for it.
        ("POST", ["mcp"] | ["sign-in-links"])
        | (
            "GET" | "HEAD",
            ["wants" | "runs" | "job_runs" | "plans" | "trials" | "datasets" | "keys" | "partitions"],
        )
        | (
            "GET" | "HEAD",
            ["checks" | "events" | "standing" | "stats" | "tiles" | "why" | "now" | "pools" | "server"]
            | ["queue" | "timeline" | "metrics" | "schedules"]
            | ["checks", "summary"],
        )
        | ("GET" | "HEAD", ["events", _] | ["graph", "id" | "drawing"] | ["graphs"] | ["health"])
        | ("GET" | "HEAD", ["openapi.json"] | ["errors", ..]) => None,
        ("GET" | "HEAD", ["graphs", id]) if *id != "diff" => None,
        _ => return Ok((request, None)),
    };
    let named = named.into_iter().chain(of_query(request.uri())).collect();
    Ok((request, Some(named)))
}

/// What the parameters after the `?` name.
fn of_query(uri: &Uri) -> Vec<Subject> {
    let text = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let subject = |(name, value): (&str, &str)| {
        let of = match text(name).as_str() {
            "ref" | "partition" => Subject::Reference,
            "dataset" => Subject::Dataset,
            "job" => Subject::Job,
            "around" => Subject::Node,
            "want" => Subject::Want,
            "run" => Subject::Run,
            "cause" => return Subject::of_cause(text(value)),
            _ => return None,
        };
        Some(of(text(value)))
    };
    pairs.filter_map(subject).collect()
}

/// What the body of a request for partitions names; none if it does not name any.
fn of_body(body: &[u8]) -> Option<Vec<Subject>> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(default)]
        targets: Vec<String>,
        job: Option<String>,
        #[serde(default)]
        wants: Vec<Named>,
    }
    fn add(named: Named, found: &mut Vec<Subject>) -> bool {
        let Named { targets, job, wants } = named;
        let says = !targets.is_empty() || !wants.is_empty();
        found.extend(targets.into_iter().map(Subject::Reference));
        found.extend(job.map(Subject::Job));
        says && wants.into_iter().all(|want| add(want, found))
    }
    let mut found = Vec::new();
    add(serde_json::from_slice(body).ok()?, &mut found).then_some(found)
}

#[cfg(test)]
mod tests;
