//! `mcp`: lets an assistant on this machine ask the server, by the Model Context Protocol on standard input and output.
//!
//! Each line is a message. The server answers them at `/mcp`, which knows the protocol; this only carries them, so there is one
//! set of tools. The server may end and come back between two messages.

use crate::api::{ErrorBody, ALLOW_HEADER};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code, output};
use clap::{Args, ValueEnum};
use serde_json::{json, Value};
use std::io::BufRead as _;

/// What JSON-RPC calls a line that is no JSON.
const NO_JSON: i64 = -32700;
/// What it calls a failure of the server.
const FAILED: i64 = -32000;
/// Tools that a lost answer may not repeat.
const ACTS: [&str; 2] = ["apply", "cancel"];

/// Arguments of `mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// What the assistant may do
    #[arg(long, value_enum, default_value_t = Allow::Read)]
    pub allow: Allow,
}

/// What an assistant may do. Each may also do what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allow {
    /// Look; nothing is recorded
    Read,
    /// Keep plans, and have them done
    Want,
    /// Cancel what anybody asked for
    Operate,
}

impl Allow {
    fn word(self) -> &'static str {
        match self {
            Allow::Read => "read",
            Allow::Want => "want",
            Allow::Operate => "operate",
        }
    }
}

/// Runs it until the input ends.
///
/// # Errors
/// There is no server, and none can be started.
pub fn run(global: &GlobalArgs, args: &McpArgs) -> Result<u8, CliError> {
    let mut carrier = Carrier {
        client: connect::connect(global)?,
        connect: || connect::attach(global),
        allow: args.allow.word(),
        version: None,
    };
    // An input that cannot be read any more has ended.
    for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(answer) = carrier.carry(&line) {
            output::raw(format!("{answer}\n").as_bytes());
        }
    }
    Ok(exit_code::OK)
}

/// Carries messages to a server.
struct Carrier<C> {
    client: Client,
    /// Finds the server again, or starts another one.
    connect: C,
    allow: &'static str,
    /// The revision of the protocol that was agreed upon when the assistant was greeted.
    version: Option<String>,
}

impl<C: Fn() -> Result<Client, CliError>> Carrier<C> {
    /// The answer to a message; none to what takes none.
    fn carry(&mut self, line: &[u8]) -> Option<String> {
        let message: Value = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(error) => return Some(failure(&Value::Null, NO_JSON, &error.to_string())),
        };
        let id = message.get("id").cloned();
        let answer = match self.exchange(&message, line) {
            Ok((status, body)) => answer_of(id.as_ref(), status, &body),
            Err(error) => id.map(|id| failure(&id, FAILED, error.message())),
        };
        if message["method"] == "initialize" {
            let greeted = answer.as_deref().and_then(|answer| serde_json::from_str::<Value>(answer).ok());
            let version = greeted.as_ref().and_then(|greeted| greeted["result"]["protocolVersion"].as_str());
            self.version = version.map(str::to_owned);
        }
        answer
    }

    fn exchange(&mut self, message: &Value, line: &[u8]) -> Result<(u16, Vec<u8>), CliError> {
        let headers = headers(message, self.allow, self.version.as_deref());
        let send = |client: &Client| client.exchange("/mcp", &headers, line);
        match send(&self.client) {
            Err(error) if error.code() == "server_unreachable" => {
                self.client = (self.connect)()?;
                if is_act(message) {
                    return Err(CliError::new(
                        error.code(),
                        "the server went before it answered; look whether it was done before you ask again",
                    ));
                }
                send(&self.client)
            }
            answer => answer,
        }
    }
}

/// Whether a message asks for something to be done.
fn is_act(message: &Value) -> bool {
    message["method"] == "tools/call"
        && message["params"]["name"].as_str().is_some_and(|name| ACTS.contains(&name))
}

/// What stands in headers over HTTP: the revision of the protocol, and from that of 2026-07-28 on, where each message names it, also what
/// the message is.
fn headers(message: &Value, allow: &str, agreed: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers =
        vec![("accept", "application/json, text/event-stream".to_owned()), (ALLOW_HEADER, allow.to_owned())];
    let params = &message["params"];
    let own = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    headers.extend(own.or(agreed).map(|version| ("mcp-protocol-version", version.to_owned())));
    if own.is_some() {
        headers.extend(message["method"].as_str().map(|method| ("mcp-method", method.to_owned())));
        headers.extend(params["name"].as_str().map(|name| ("mcp-name", name.to_owned())));
    }
    // A header is one line of ASCII; what else a message says there, the server refuses by the message.
    headers.retain(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    headers
}

/// An answer of the server as a line.
fn answer_of(id: Option<&Value>, status: u16, body: &[u8]) -> Option<String> {
    let id = id?;
    match serde_json::from_slice::<Value>(body) {
        Ok(answer) if answer["jsonrpc"] == "2.0" => Some(answer.to_string()),
        _ => {
            let said = serde_json::from_slice::<ErrorBody>(body);
            let said = said.map(|body| format!("{}: {}", body.error, body.message));
            let message = said.unwrap_or_else(|_| format!("the server answered with status {status}"));
            Some(failure(id, FAILED, &message))
        }
    }
}

fn failure(id: &Value, code: i64, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_says_stands_in_headers() {
        let old = json!({"method": "tools/call", "params": {"name": "why"}});
        let plain = |name, value: &str| (name, value.to_owned());
        let accept = plain("accept", "application/json, text/event-stream");
        assert_eq!(headers(&old, "read", None), [accept.clone(), plain(ALLOW_HEADER, "read")]);
        assert_eq!(headers(&old, "want", Some("2025-06-18"))[2], plain("mcp-protocol-version", "2025-06-18"));
        let new = json!({
            "method": "tools/call",
            "params": {"name": "why\n", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
        });
        assert_eq!(
            headers(&new, "read", Some("2025-06-18"))[2..],
            [plain("mcp-protocol-version", "2026-07-28"), plain("mcp-method", "tools/call")]
        );
    }

    #[test]
    fn an_answer_is_a_line_and_a_notification_has_none() {
        let id = json!(7);
        assert_eq!(answer_of(None, 202, b""), None);
        let answer =
            answer_of(Some(&id), 200, b"{\"jsonrpc\": \"2.0\",\n \"id\": 7, \"result\": {}}").unwrap();
        assert_eq!(answer.lines().count(), 1);
        let refused = br#"{"error": "unauthorized", "message": "send a token", "details": {}}"#;
        let refused: Value = serde_json::from_str(&answer_of(Some(&id), 401, refused).unwrap()).unwrap();
        assert_eq!(
            (&refused["id"], &refused["error"]["message"]),
            (&id, &json!("unauthorized: send a token"))
        );
        assert!(answer_of(Some(&id), 502, b"oops").unwrap().contains("status 502"));
    }

    #[test]
    fn only_what_does_nothing_is_sent_again() {
        let call = |name: &str| is_act(&json!({"method": "tools/call", "params": {"name": name}}));
        assert_eq!((call("apply"), call("cancel"), call("plan")), (true, true, false));
        assert!(!is_act(&json!({"method": "tools/list"})));
    }
}
