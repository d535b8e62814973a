//! Assistants over HTTP, without a socket: messages in, messages out.

use super::*;
use axum::http::StatusCode;
use serde_json::json;

/// Sends a message; returns the status and the answer.
async fn send(app: &App, allow: Option<&str>, message: Value) -> (StatusCode, Value) {
    let mut request = Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if let Some(allow) = allow {
        request = request.header(ALLOW_HEADER, allow);
    }
    let origin = Origin {
        actor: databuild_core::event::Actor::Person("ada".into()),
        cause: Some(Cause::Request { id: "q-1".into(), client: "api".into() }),
    };
    let (parts, ()) = request.extension(origin).body(()).unwrap().into_parts();
    let answered = answer(app.clone(), parts, Bytes::from(message.to_string())).await;
    let answered = answered.unwrap_or_else(axum::response::IntoResponse::into_response);
    let status = answered.status();
    let body = axum::body::to_bytes(answered.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn ask(app: &App, allow: Option<&str>, method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (status, answer) = send(app, allow, message).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// Calls a tool; whether it went well, and what it answers.
async fn call(app: &App, allow: Option<&str>, name: &str, args: Value) -> (bool, Value) {
    let answer = ask(app, allow, "tools/call", json!({"name": name, "arguments": args})).await;
    let result = &answer["result"];
    assert!(result.to_string().len() <= answer::MOST, "{name}: {}", result.to_string().len());
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    (result["isError"] != true, serde_json::from_str(text).unwrap())
}

#[tokio::test]
async fn a_refusal_of_the_protocol_says_that_it_is_a_text() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    let request =
        Request::post("/mcp").header("host", "127.0.0.1").header("content-type", "application/json");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let answered = answer(app, parts, Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(answered.status(), StatusCode::NOT_ACCEPTABLE);
    assert_eq!(answered.headers()["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_refused_as_on_all_routes() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    for (kind, body, code) in [
        ("application/json", "{", "bad_json"),
        ("application/json", "", "bad_json"),
        ("Application/JSON; charset=utf-8", "x", "bad_json"),
        ("text/plain", "{}", "bad_json"),
        ("application/json", "{}", "invalid_body"),
        ("application/json", "[1]", "invalid_body"),
    ] {
        let request = Request::post("/mcp")
            .header("host", "127.0.0.1")
            .header("content-type", kind)
            .header("accept", "application/json, text/event-stream");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let refused = answer(app.clone(), parts, Bytes::from(body)).await.unwrap_err();
        assert_eq!(refused.body.error, code, "{kind} {body}");
    }
}

fn names(answer: &Value) -> Vec<&str> {
    answer["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_assistant_is_greeted_and_sees_the_tools_that_it_may_call() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
    });
    let greeted = ask(&app, None, "initialize", hello).await;
    assert_eq!(greeted["result"]["serverInfo"]["name"], "databuild", "{greeted}");
    assert!(greeted["result"]["capabilities"]["tools"].is_object());
    let all = ask(&app, Some("operate"), "tools/list", json!({})).await;
    assert_eq!(names(&all).len(), 12);
    let reading = ask(&app, None, "tools/list", json!({})).await;
    let without: Vec<&str> =
        names(&all).into_iter().filter(|name| !["apply", "cancel"].contains(name)).collect();
    assert_eq!(names(&reading), without);
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(send(&app, None, told).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn work_begins_only_by_a_plan_and_only_with_the_right_to() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    let targets = json!({"targets": ["daily/city=oslo/date=2024-01-01"]});
    let before = app.backend.engine.snapshot().state.seq();
    let (good, shown) = call(&app, None, "plan", targets.clone()).await;
    assert!(good && shown["id"].is_null() && shown["certain"] == 1, "{shown}");
    assert_eq!(app.backend.engine.snapshot().state.seq(), before, "reading records nothing");
    for (name, args) in [("apply", json!({"plan": "p1"})), ("cancel", json!({"id": "w1"}))] {
        let (good, refused) = call(&app, None, name, args).await;
        assert!(!good && refused["error"] == "not_permitted", "{refused}");
    }
    let (_, kept) = call(&app, Some("want"), "plan", targets).await;
    assert_eq!(kept["id"], "p1", "{kept}");
    let (good, want) = call(&app, Some("want"), "apply", json!({"plan": "p1", "comment": "asked"})).await;
    assert!(good, "{want}");
    assert_eq!((&want["id"], &want["source"], &want["by"]), (&json!("w1"), &json!("mcp"), &json!("ada")));
    let (good, refused) = call(&app, Some("want"), "cancel", json!({"id": "w1"})).await;
    assert!(!good && refused["error"] == "not_permitted", "{refused}");
    let (good, canceled) = call(&app, Some("operate"), "cancel", json!({"id": "w1"})).await;
    assert!(good && canceled["state"] == "canceled", "{canceled}");
}

#[tokio::test]
async fn lists_go_on_by_their_cursors_and_name_everything_once() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    let dates = "daily/city=oslo/date=2024-01-01..2024-12-31";
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let (good, page) = call(&app, None, "partitions", json!({"ref": dates, "cursor": cursor})).await;
        assert!(good, "{page}");
        let rows = page["data"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["partition"].as_str().unwrap().to_owned()));
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 366);
    seen.dedup();
    assert_eq!(seen.len(), 366);
}

#[tokio::test]
async fn every_tool_answers() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    let cases = [
        ("datasets", json!({"name": "dail"}), true),
        ("why", json!({"of": "daily/city=oslo/date=2024-01-01"}), true),
        ("why", json!({"of": "w9"}), false),
        ("wants", json!({}), true),
        ("wants", json!({"id": "w9"}), false),
        ("runs", json!({}), true),
        ("runs", json!({"id": "r9"}), false),
        ("logs", json!({"run": "r9"}), false),
        ("diff", json!({}), false),
        ("checks", json!({"failed": true}), true),
        ("events", json!({}), true),
        ("cancel", json!({"id": "x"}), false),
        ("events", json!({"before": 1}), false),
    ];
    for (name, args, expected) in cases {
        let (good, said) = call(&app, Some("operate"), name, args.clone()).await;
        assert_eq!(good, expected, "{name} {args}: {said}");
        assert!(good || said["message"].is_string(), "{said}");
    }
    let (_, datasets) = call(&app, None, "datasets", json!({})).await;
    assert!(datasets["data"].as_array().is_some_and(|rows| !rows.is_empty()), "{datasets}");
}

#[tokio::test]
async fn what_is_no_tool_and_no_right_is_refused() {
    let (app, _running) = crate::fuzz::app();
    let answer = ask(&app, None, "tools/call", json!({"name": "drop", "arguments": {}})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let (status, refused) = send(&app, Some("everything"), message).await;
    assert_eq!((status, &refused["error"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("bad_header")));
}

#[test]
fn an_assistant_may_do_what_its_token_is_for_and_no_more() {
    let holder = |scopes: &[Scope]| Asker::Holder {
        name: "bot".into(),
        scopes: scopes.to_vec(),
        datasets: Vec::new(),
    };
    let rights = |asker: &Asker, said: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.extend(
            said.map(|said| (axum::http::HeaderName::from_static(ALLOW_HEADER), said.parse().unwrap())),
        );
        allowed(Some(asker), &headers).unwrap()
    };
    assert_eq!(rights(&Asker::Owner, None), Rights::Read);
    assert_eq!(rights(&Asker::Owner, Some("operate")), Rights::Operate);
    for (scope, most) in [
        (Scope::Read, Rights::Read),
        (Scope::Approve, Rights::Read),
        (Scope::Want, Rights::Want),
        (Scope::Operate, Rights::Operate),
        (Scope::Admin, Rights::Operate),
    ] {
        let holder = holder(&[scope]);
        assert_eq!((rights(&holder, None), rights(&holder, Some("operate"))), (most, most), "{scope:?}");
        assert_eq!(rights(&holder, Some("read")), Rights::Read);
    }
}
