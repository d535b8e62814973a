//! Assistants: the commands and answers of [`crate::app`] as tools of the Model Context Protocol, over HTTP without sessions.
//!
//! `rmcp` knows the protocol in all its revisions. Here is what it is used for: which tools there are ([`tools`]), what they do
//! ([`call`]), and that an answer stays small ([`answer`]).
//!
//! Invariants:
//! - Whoever does not say that an assistant may do more lets it read, and reading records nothing.
//! - Work begins only by a plan that was shown before.
//! - An answer is at most 8 KiB, and says if it is not all.

mod answer;
mod call;
#[cfg(test)]
mod tests;
mod tools;

use super::asker::Asker;
use super::error::ApiError;
use super::state::App;
use super::veiled;
use crate::api::ALLOW_HEADER;
use crate::app::subjects::{check, Subject};
use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::Response;
use databuild_core::event::{Cause, Origin, Scope};
use databuild_core::ids::{PlanId, RunId, TrialId, WantId};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::sync::Arc;
use tools::{Entry, Rights, TOOLS};

/// What the log calls an assistant.
const CLIENT: &str = "mcp";

/// What an assistant is told of it all.
const INSTRUCTIONS: &str = "DataBuild builds partitions of datasets by jobs, and knows why each is current or not. References name \
     partitions: DATASET/KEY=VALUE/..., with ranges (date=2024-01-01..2024-01-31). Begin with `datasets`; ask `why` before you \
     build anything; have work done by `plan` and then `apply`. Lists have `next`: pass it as `cursor` to go on.";

/// Answers one message of an assistant.
///
/// # Errors
/// A header that means nothing, or a body that is no JSON.
pub(super) async fn answer(app: App, parts: Parts, body: Bytes) -> Result<Response, ApiError> {
    let rights = allowed(parts.extensions.get(), &parts.headers)?;
    let app = on_behalf_of_assistant(app, parts.extensions.get());
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // Host and origin were looked at before: see `guard`.
        .disable_allowed_hosts();
    let sessions = Arc::new(NeverSessionManager::default());
    let service = move || Ok(Assistant { app: app.clone(), rights });
    let service = StreamableHttpService::new(service, sessions, config);
    let unread = unread(&parts.headers, &body);
    let answer = service.handle(Request::from_parts(parts, Body::from(body))).await.map(Body::new);
    match answer.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Err(unread),
        _ => Ok(with_kind(answer)),
    }
}

/// What is wrong with a message that cannot be read, in the shape that all errors have: the protocol says only that it is.
fn unread(headers: &HeaderMap, body: &[u8]) -> ApiError {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    match serde_json::from_slice::<IgnoredAny>(body) {
        _ if !is_json => ApiError::new("bad_json", "send the message with `Content-Type: application/json`"),
        Err(error) => ApiError::new("bad_json", format!("the message is no JSON: {error}")),
        Ok(_) => ApiError::new("invalid_body", "the body is no message of the Model Context Protocol"),
    }
}

/// The protocol's own refusals are texts, but do not say so.
fn with_kind(mut answer: Response) -> Response {
    if !answer.body().is_end_stream() {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().entry(CONTENT_TYPE).or_insert(text);
    }
    answer
}

/// What the request lets the assistant do: as much as its token is for, or less if it says so. The owner's token is for everything, so
/// with it an assistant may read, unless the request says more.
fn allowed(asker: Option<&Asker>, headers: &HeaderMap) -> Result<Rights, ApiError> {
    let bad = || ApiError::new("bad_header", format!("{ALLOW_HEADER} is read, want or operate"));
    let said =
        headers.get(ALLOW_HEADER).map(|value| value.to_str().ok().and_then(Rights::of_word).ok_or_else(bad));
    let said = said.transpose()?;
    let Some(Asker::Holder { scopes, .. }) = asker else { return Ok(said.unwrap_or(Rights::Read)) };
    let includes = |needed: Scope| scopes.iter().any(|scope| scope.includes(needed));
    let most = match (includes(Scope::Operate), includes(Scope::Want)) {
        (true, _) => Rights::Operate,
        (false, true) => Rights::Want,
        (false, false) => Rights::Read,
    };
    Ok(said.unwrap_or(most).min(most))
}

/// What follows was asked for by an assistant, for whoever sent the request.
fn on_behalf_of_assistant(mut app: App, origin: Option<&Origin>) -> App {
    if let Some(Origin { actor, cause: Some(Cause::Request { id, .. }) }) = origin {
        let cause = Some(Cause::Request { id: id.clone(), client: CLIENT.into() });
        app.backend.engine = app.backend.engine.on_behalf_of(Origin { actor: actor.clone(), cause });
    }
    app
}

/// What the arguments of a tool name.
fn subjects(args: &Value) -> Vec<Subject> {
    let of_id = |id: String| match id.chars().next() {
        _ if id.contains(['/', '=']) => Subject::Reference(id),
        Some('w') if id.parse::<WantId>().is_ok() => Subject::Want(id),
        Some('r') if id.parse::<RunId>().is_ok() => Subject::Run(id),
        Some('p') if id.parse::<PlanId>().is_ok() => Subject::Plan(id),
        Some('t') if id.parse::<TrialId>().is_ok() => Subject::Trial(id),
        _ => Subject::Reference(id),
    };
    let mut found = Vec::new();
    for (name, value) in args.as_object().into_iter().flatten() {
        let texts = value
            .as_str()
            .into_iter()
            .chain(value.as_array().into_iter().flatten().filter_map(Value::as_str));
        found.extend(texts.map(str::to_owned).filter_map(|text| match name.as_str() {
            "id" | "of" => Some(of_id(text)),
            "ref" | "partition" | "targets" => Some(Subject::Reference(text)),
            "job" => Some(Subject::Job(text)),
            "run" => Some(Subject::Run(text)),
            "plan" => Some(Subject::Plan(text)),
            _ => None,
        }));
    }
    found
}

/// One request of an assistant.
struct Assistant {
    app: App,
    rights: Rights,
}

impl Assistant {
    /// What a tool says, of what whoever asks may see.
    async fn answered(&self, name: &str, args: Value) -> Result<Value, ApiError> {
        let audience = &self.app.backend.audience;
        if !audience.sees_all() && name == "diff" {
            let message =
                "the token is for some datasets, and a difference between graphs is about all of them";
            return Err(ApiError::new("outside_of_token", message));
        }
        check(&self.app, subjects(&args)).await?;
        let said = call::call(&self.app, self.rights, name, args).await?;
        Ok(veiled::value(&self.app, said).await?)
    }

    /// What a tool answers; what is wrong is for the assistant to read, not for the protocol.
    async fn called(&self, request: CallToolRequestParams) -> CallToolResult {
        let result = match Entry::called(&request.name) {
            Some(tool) if tool.needs > self.rights => Err(ApiError::new(
                "not_permitted",
                format!(
                    "`{}` takes the right `{}`, and this connection has `{}`",
                    tool.name,
                    tool.needs.word(),
                    self.rights.word()
                ),
            )),
            _ => {
                let args = Value::Object(request.arguments.unwrap_or_default());
                self.answered(&request.name, args).await
            }
        };
        match result {
            Ok(value) => CallToolResult::success(vec![ContentBlock::text(value.to_string())]),
            Err(error) => {
                let value = answer::document(&error.body);
                CallToolResult::error(vec![ContentBlock::text(value.to_string())])
            }
        }
    }
}

impl ServerHandler for Assistant {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("databuild", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let allowed = TOOLS.iter().filter(|tool| tool.needs <= self.rights);
        Ok(ListToolsResult::with_all_items(allowed.map(Entry::tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if Entry::called(&request.name).is_none() {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        }
        Ok(self.called(request).await.into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        Entry::called(name).map(Entry::tool)
    }
}
