//! What is done once, over HTTP.

use super::super::document::operations;
use super::super::fuzz::{body, Server, GRAPH};
use super::*;
use crate::app::{plans, trials, wants};
use axum::http::{HeaderMap, HeaderValue};
use databuild_core::ids::PlanId;
use serde_json::{json, Value};
use std::collections::BTreeSet;

#[test]
fn a_key_is_short_printable_and_alone() {
    let of = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        key(&headers).map_err(|_| ())
    };
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&["nightly 7"]), Ok(Some("nightly 7".to_owned())));
    let longest = "k".repeat(LONGEST);
    assert_eq!(of(&[&longest]), Ok(Some(longest.clone())));
    for bad in [&["".to_owned()], &[" ".to_owned()], &[longest.clone() + "k"], &["é".to_owned()]] {
        assert_eq!(of(&[&bad[0]]), Err(()), "{bad:?}");
    }
    assert_eq!(of(&["a", "b"]), Err(()));
}

#[test]
fn a_plan_that_is_not_kept_leaves_no_trace_under_a_key_either() {
    let server = Server::start();
    let events =
        |server: &Server| server.json("GET", "/api/v1/events", "").1["data"].as_array().map(Vec::len);
    let before = events(&server);
    assert!(before.is_some());
    let plan = json!({"targets": ["daily/city=oslo/date=2024-01-01"], "save": false}).to_string();
    for _ in 0..2 {
        let (status, answer) = post(&server, "/api/v1/plans", "look", &plan);
        assert_eq!((status, &answer["id"]), (200, &Value::Null), "{answer}");
    }
    assert_eq!(events(&server), before);
}

/// Whatever a request makes, it makes once.
#[tokio::test]
async fn a_request_sent_again_makes_nothing_more() {
    let (app, _running) = crate::fuzz::app_with_graph().await;
    let key = |of: &str| Some(RequestKey { key: of.to_owned(), digest: "d".to_owned() });
    let day = r#"{"targets": ["daily/city=oslo/date=2024-01-01"]}"#;
    let verify = r#"{"kind": "verify", "targets": ["daily/city=oslo/date=2024-01-01"]}"#;
    let invoke = r#"{"job": "make", "targets": ["daily/city=oslo/date=2024-01-01"]}"#;
    for repeated in [false, true] {
        let want = wants::create(&app, serde_json::from_str(day).unwrap(), key("want")).await.unwrap();
        assert_eq!((want.made.want.id.as_str(), want.repeated), ("w1", repeated));
        let invoked =
            wants::invoke(&app, serde_json::from_str(invoke).unwrap(), key("invoke")).await.unwrap();
        assert_eq!((invoked.made.want.id.as_str(), invoked.repeated), ("w2", repeated));
        let plan = plans::create(&app, serde_json::from_str(day).unwrap(), key("plan")).await.unwrap();
        assert_eq!((plan.made.id.as_deref(), plan.repeated), (Some("p1"), repeated));
        let apply = plans::apply(&app, PlanId(1), serde_json::from_str("{}").unwrap(), key("apply"));
        let applied = apply.await.unwrap();
        assert_eq!((applied.made.want.id.as_str(), applied.repeated), ("w3", repeated));
        let trial = trials::create(&app, serde_json::from_str(verify).unwrap(), key("trial")).await.unwrap();
        assert_eq!((trial.made.trial.id.as_str(), trial.repeated), ("t1", repeated));
    }
    let other = Some(RequestKey { key: "trial".to_owned(), digest: "other".to_owned() });
    let reused = trials::create(&app, serde_json::from_str(verify).unwrap(), other).await.unwrap_err();
    assert_eq!(reused.code(), "idempotency_key_reused");
    assert!(reused.to_string().contains("made t1"), "{reused}");
}

/// What is asked for: a path, a body, and what the first answer says.
fn requests() -> Vec<(&'static str, Value, u16)> {
    let day = |day: &str| json!({"targets": [format!("daily/city=oslo/date={day}")], "reason": "bad"});
    let want = |day: &str| json!({"targets": [format!("daily/city=oslo/date={day}")]});
    let keys = json!({"keys": ["acme", "bolt"]});
    let graph: Value = serde_json::from_str(&body(GRAPH)).unwrap();
    vec![
        ("/api/v1/wants", want("2024-01-01"), 201),
        ("/api/wants", want("2024-01-02"), 201),
        ("/api/v1/wants/batch", json!({"wants": [want("2024-01-03"), want("2024-01-04")]}), 200),
        ("/api/v1/wants/w1/pause", json!({}), 200),
        ("/api/v1/wants/w1/resume", json!({}), 200),
        ("/api/v1/wants/w1/priority", json!({"class": "backfill"}), 200),
        ("/api/v1/jobs/invoke", json!({"job": "make", "targets": ["daily/city=rome/date=2024-01-01"]}), 201),
        ("/api/v1/plans", want("2024-02-01"), 201),
        ("/api/v1/plans/p1/apply", json!({}), 201),
        ("/api/v1/schedules/nightly/pause", json!({}), 200),
        ("/api/v1/schedules/nightly/resume", json!({}), 200),
        ("/api/v1/schedules/nightly/run", json!({}), 201),
        ("/api/v1/trials", json!({"kind": "verify", "targets": ["daily/city=oslo/date=2024-01-01"]}), 201),
        ("/api/v1/keys/customers", keys.clone(), 200),
        ("/api/v1/keys/customers/retire", keys, 200),
        ("/api/v1/adopt", want("2024-03-01"), 200),
        ("/api/v1/taint", day("2024-03-01"), 200),
        ("/api/v1/untaint", day("2024-03-01"), 200),
        // No code has changed.
        ("/api/v1/accept", json!({"job": "make", "reason": "same", "targets": ["daily"]}), 422),
        ("/api/v1/scan", json!({}), 200),
        ("/api/v1/gc", json!({}), 200),
        ("/api/v1/graphs", graph.clone(), 200),
        ("/api/v1/graphs/impact", graph, 200),
        ("/api/v1/graphs/{id}/sources", json!({"jobs": []}), 200),
        ("/api/v1/contents/missing", json!({"digests": []}), 200),
        ("/api/v1/contents", json!({"contents": ["x"]}), 200),
        ("/api/v1/tokens", json!({"name": "bot", "scopes": ["read"]}), 201),
        ("/api/v1/sign-in-links", json!({}), 201),
        ("/mcp", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), 200),
        ("/api/v1/server/shutdown", json!({}), 202),
    ]
}

/// The path of a route with ids.
fn path(route: &str) -> String {
    route.replace("{id}", "latest")
}

fn post(server: &Server, route: &str, key: &str, body: &str) -> (u16, Value) {
    let headers = format!("Idempotency-Key: {key}\r\nAccept: application/json, text/event-stream\r\n");
    server.json_with("POST", &path(route), &headers, body)
}

/// An answer without what is of the moment: the position of the log.
fn lasting(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("seq");
        // Of the time that is left.
        fields.remove("estimate");
    }
    answer
}

#[test]
fn every_request_by_post_is_carried_out_once() {
    let server = Server::start();
    std::fs::create_dir_all(server.folder().join("ws/out/oslo")).unwrap();
    std::fs::write(server.folder().join("ws/out/oslo/2024-03-01"), "1").unwrap();
    let mut first = Vec::new();
    for (at, (route, body, status)) in requests().into_iter().enumerate() {
        let key = format!("key {at}");
        let (said, answer) = post(&server, route, &key, &body.to_string());
        assert_eq!(said, status, "{route}: {answer}");
        first.push((route, key, body.to_string(), status, answer));
    }
    let check = |server: &Server| {
        for (route, key, body, status, answer) in &first {
            let (said, again) = post(server, route, key, body);
            let (mut expected, mut again) = (lasting(answer.clone()), lasting(again));
            if route.ends_with("/tokens") || route.ends_with("/sign-in-links") {
                assert_eq!((&again["told_before"], &expected["told_before"]), (&json!(true), &json!(false)));
                for secret in ["token", "path"] {
                    assert_eq!(again.get(secret).unwrap_or(&Value::Null), &Value::Null, "{route}");
                }
                for told in ["token", "path", "told_before", "valid_seconds"] {
                    expected.as_object_mut().unwrap().remove(told);
                    again.as_object_mut().unwrap().remove(told);
                }
            }
            // What has an id is told as it is now.
            if expected["id"].is_string() && !route.ends_with("pause") {
                (expected, again) = (expected["id"].take(), again["id"].take());
            }
            if route.ends_with("/batch") {
                (expected, again) = (expected["made"].take(), again["made"].take());
            }
            assert_eq!(again, expected, "{route}");
            assert_eq!(said, if *status == 201 { 200 } else { *status }, "{route}");
            if *status < 300 {
                let (said, error) = post(server, route, key, &format!("{body} "));
                assert_eq!(
                    (said, &error["error"]),
                    (422, &json!("idempotency_key_reused")),
                    "{route}: {error}"
                );
            }
        }
    };
    check(&server);
    let (_, wants) = server.json("GET", "/api/v1/wants", "");
    let server = server.restarted();
    check(&server);
    assert_eq!(server.json("GET", "/api/v1/wants", "").1["data"], wants["data"]);
    let secret = first.iter().find_map(|(_, _, _, _, answer)| answer["token"].as_str()).unwrap();
    let token_and_wal = ["bel.sqlite", "bel.sqlite-wal"];
    for file in token_and_wal {
        let bytes = std::fs::read(server.folder().join(file)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{file} has the token");
    }
}

#[test]
fn no_route_for_posts_is_left_out() {
    let server = Server::start();
    let document = super::super::routes::description();
    let tried: BTreeSet<String> = requests().into_iter().map(|(route, ..)| route.to_owned()).collect();
    for (route, told) in operations(&document) {
        let Some(route) = route.strip_prefix("POST ") else { continue };
        let named = told["parameters"].as_array().into_iter().flatten();
        assert!(named.clone().any(|parameter| parameter["name"] == "Idempotency-Key"), "{route}");
        let (status, error) = post(&server, &route.replace("{space}", "customers"), &"k".repeat(201), "{}");
        assert_eq!((status, &error["error"]), (400, &json!("bad_idempotency_key")), "{route}");
        let same = |tried: &String| {
            let parts = (tried.split('/').collect::<Vec<_>>(), route.split('/').collect::<Vec<_>>());
            let fits = |(tried, route): (&&str, &&str)| tried == route || route.starts_with('{');
            parts.0.len() == parts.1.len() && parts.0.iter().zip(&parts.1).all(fits)
        };
        assert!(tried.iter().any(same), "{route} is not tried");
    }
}

#[test]
fn one_of_many_at_once_is_carried_out_and_others_are_told_to_wait_or_the_same() {
    let server = Server::start();
    let body = json!({"name": "bot", "scopes": ["read"]}).to_string();
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let ask = || post(&server, "/api/v1/tokens", "one", &body);
        let asked: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let with = |status| answers.iter().filter(|(said, _)| *said == status).count();
    assert_eq!((with(201), with(200) + with(409)), (1, 49), "{answers:?}");
    for (_, error) in answers.iter().filter(|(said, _)| *said == 409) {
        assert_eq!(error["error"], "idempotency_key_in_flight");
    }
}

#[test]
fn a_key_of_one_token_is_no_key_of_another() {
    let server = Server::start();
    let holder = |name: &str| {
        let made = json!({"name": name, "scopes": ["want"]}).to_string();
        server.json("POST", "/api/v1/tokens", &made).1["token"].as_str().unwrap().to_owned()
    };
    let tokens = [holder("ci"), holder("etl"), server.token().to_owned()];
    let day = |day: usize| json!({"targets": [format!("daily/city=oslo/date=2024-01-0{day}")]}).to_string();
    let ask = |token: &str, body: &str| {
        server.json_as(token, "POST", "/api/v1/wants", "Idempotency-Key: k\r\n", body)
    };
    for (at, token) in tokens.iter().enumerate() {
        let (status, want) = ask(token, &day(at + 1));
        assert_eq!(status, 201, "{want}");
        let (status, again) = ask(token, &day(at + 1));
        assert_eq!((status, &again["id"]), (200, &want["id"]), "{again}");
    }
    for token in &tokens {
        let (status, error) = ask(token, &day(9));
        assert_eq!((status, &error["error"]), (422, &json!("idempotency_key_reused")));
        assert!(error["message"].as_str().unwrap().contains("`k`"), "{error}");
    }
    let (_, events) = server.json("GET", "/api/v1/events?kind=want_created", "");
    let told = events["data"].as_array().unwrap().iter().map(|event| &event["data"]["idempotency_key"]);
    assert_eq!(told.collect::<Vec<_>>(), vec![&json!("k"); 3]);
}
