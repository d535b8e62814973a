//! What requests for pages name, of those who may see some datasets alone.
//!
//! Invariant: a page that no row here knows is refused to them.

use crate::app::subjects::Subject;
use crate::error::ApiError;
use crate::extract::whole;
use axum::body::Body;
use axum::extract::Request;
use percent_encoding::percent_decode_str;

/// What a request for a page names; none if it cannot be answered to them: what differs between graphs or runs, and what is judged by
/// job, is about all that there is.
pub(super) async fn subjects(request: Request) -> Result<(Request, Option<Vec<Subject>>), ApiError> {
    let query = fields(request.uri().query().unwrap_or_default());
    let asks = |name: &str| query.iter().any(|(own, value)| own == name && !value.is_empty());
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let parts: Vec<String> =
        request.uri().path().split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let named = match (request.method().as_str(), parts.as_slice()) {
        ("GET" | "HEAD" | "POST", ["runs", id]) => vec![Subject::Run((*id).to_owned())],
        ("GET" | "HEAD" | "POST", ["wants", id]) => vec![Subject::Want((*id).to_owned())],
        ("GET" | "HEAD" | "POST", ["plans", id]) => vec![Subject::Plan((*id).to_owned())],
        ("GET" | "HEAD", ["datasets", name @ ..]) if !name.is_empty() => {
            vec![Subject::Dataset(name.join("/"))]
        }
        ("GET" | "HEAD" | "POST", ["automation", name @ ..]) if !name.is_empty() => {
            vec![Subject::Schedule(name.join("/"))]
        }
        ("GET" | "HEAD", []) | ("POST", ["seen"]) => Vec::new(),
        (
            "GET" | "HEAD",
            ["datasets" | "partitions" | "partition" | "runs" | "wants" | "plans" | "graph" | "queue"]
            | ["timeline" | "checks" | "events" | "changes" | "server" | "live" | "go" | "automation"]
            | ["events", _],
        ) => Vec::new(),
        ("GET" | "HEAD", ["changes", _]) if !asks("base") && !asks("ask") => Vec::new(),
        ("POST", ["plans"]) => {
            let (head, bytes) = whole(request, &()).await?;
            let named = of_form(&String::from_utf8_lossy(&bytes));
            return Ok((Request::from_parts(head, Body::from(bytes)), named));
        }
        _ => return Ok((request, None)),
    };
    let named = named.into_iter().chain(query.into_iter().filter_map(of_field)).collect();
    Ok((request, Some(named)))
}

/// The fields of a query or a form.
fn fields(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// What a parameter names. Forms that filter send empty ones along.
fn of_field((name, value): (String, String)) -> Option<Subject> {
    if value.trim().is_empty() {
        return None;
    }
    Some(match name.as_str() {
        "ref" | "partition" | "sel" => Subject::Reference(value),
        "dataset" => Subject::Dataset(value),
        "job" => Subject::Job(value),
        "around" | "package" => Subject::Node(value),
        "want" => Subject::Want(value),
        "run" => Subject::Run(value),
        // An attempt is its run's.
        "log" => Subject::Run(value.split_once('-').map_or(value.clone(), |(run, _)| run.to_owned())),
        "cause" => return Subject::of_cause(value),
        _ => return None,
    })
}

/// What a form that plans names; none if it names nothing.
fn of_form(body: &str) -> Option<Vec<Subject>> {
    let targets = fields(body).into_iter().filter(|(name, _)| name == "targets");
    let named: Vec<Subject> = targets
        .flat_map(|(_, value)| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(Subject::Reference)
        .collect();
    (!named.is_empty()).then_some(named)
}
