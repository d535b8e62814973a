//! Assistants on standard input and output, with the real program and server.

mod support;

use serde_json::{json, Value};
use std::io::Write as _;
use std::process::Stdio;
use support::{text, Workspace};

/// What an assistant is answered, a line for each of its messages that takes an answer.
fn conversation(workspace: &Workspace, args: &[&str], messages: &[Value]) -> Vec<Value> {
    let mut command = workspace.command(&[&["mcp"], args].concat());
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    for message in messages {
        writeln!(input, "{message}").unwrap();
    }
    drop(input);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn call(id: u32, name: &str, args: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": args}})
}

fn answer(message: &Value) -> Value {
    serde_json::from_str(message["result"]["content"][0]["text"].as_str().unwrap()).unwrap()
}

#[test]
fn an_assistant_builds_by_a_plan_over_standard_input_and_output() {
    let workspace = Workspace::new();
    workspace.deploy();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
    }});
    let said = conversation(
        &workspace,
        &["--allow", "want"],
        &[
            hello.clone(),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
            call(3, "plan", json!({"targets": ["quick"]})),
            call(4, "apply", json!({"plan": "p1"})),
        ],
    );
    let ids: Vec<&Value> = said.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2), &json!(3), &json!(4)], "{said:?}");
    assert_eq!(said[0]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answer(&said[2])["id"], "p1");
    let want = answer(&said[3]);
    assert_eq!((&want["id"], &want["source"]), (&json!("w1"), &json!("mcp")), "{want}");
    // Reading is all that is allowed by itself; what is no message is answered, too.
    let said =
        conversation(&workspace, &[], &[hello, call(2, "cancel", json!({"id": "w1"})), json!("hello")]);
    assert_eq!(answer(&said[1])["error"], "not_permitted", "{said:?}");
}
