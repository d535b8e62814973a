//! Parameters of queries with values that mean nothing.

use super::document::operations;
use super::fuzz::Server;
use super::routes::description;
use std::collections::BTreeSet;

/// Values that no parameter has a meaning for but those that are free text.
const HOSTILE: [&str; 12] = [
    "NaN",
    "-1",
    "1e9",
    "0x10",
    "99999999999999999999999",
    "r01",
    "w3%00",
    "%F0%9F%92%A9",
    "..%2F..%2Fetc",
    "%27%20OR%201=1--",
    "2024-13-45T99:99:99Z",
    "%E2%80%AE",
];
/// Free text, by how a path ends: nothing is found. Runs and events may be of datasets that there were once.
const FREE: [(&str, &str); 13] = [
    ("/datasets", "search"),
    ("/wants", "source"),
    ("/runs", "partition"),
    ("/job_runs", "partition"),
    ("/events", "dataset"),
    ("/events", "ref"),
    ("/events/stream", "dataset"),
    ("/events/stream", "ref"),
    ("/events", "actor"),
    ("/events", "cause"),
    ("/events/stream", "actor"),
    ("/events/stream", "cause"),
    ("/checks", "check"),
];

#[test]
fn no_parameter_takes_what_means_nothing() {
    let server = Server::start();
    let document = description();
    let mut taken = BTreeSet::new();
    let mut asked = 0;
    for (route, operation) in operations(&document) {
        let Some(path) = route.strip_prefix("GET ") else { continue };
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let queries: Vec<_> = parameters.filter(|parameter| parameter["in"] == "query").collect();
        for parameter in &queries {
            let name = parameter["name"].as_str().unwrap();
            for value in HOSTILE {
                // What else it needs means something.
                let others =
                    queries.iter().filter(|other| other["required"] == true && other["name"] != name);
                let others = others.map(|other| match other["name"].as_str().unwrap() {
                    name @ ("ref" | "partition") => format!("&{name}=daily/city=oslo/date=2024-01-01"),
                    name => format!("&{name}=1"),
                });
                let more = if path.ends_with("/tiles") && name != "ref" { "&ref=daily" } else { "" };
                let target =
                    path.replace("{id}", "latest").replace("{name}", "daily").replace("{space}", "customers");
                let target = format!("{target}?{name}={value}{more}{}", others.collect::<String>());
                let until = if path.ends_with("/stream") { "\r\n\r\n" } else { "\0" };
                let answer = server.send_until(&server.request("GET", &target, ""), until);
                let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
                asked += 1;
                assert!(status < 500, "{target}: {answer}");
                let is_free = FREE.iter().any(|(end, free)| path.ends_with(end) && *free == name);
                if status < 400 && !is_free {
                    taken.insert(format!("{path} {name}={value}"));
                }
            }
        }
    }
    assert!(asked > 500, "{asked}");
    assert!(taken.is_empty(), "{taken:#?}");
}

#[test]
fn words_that_no_parameter_has_are_refused_alike_with_the_nearest() {
    let server = Server::start();
    for (query, code, meant) in [
        ("checks?outcome=faild", "unknown_word", "`failed`"),
        ("events?kind=want_created,want_creatd", "unknown_word", "`want_created`"),
        ("events/stream?kind=nope", "unknown_word", "`"),
        ("tiles?ref=daily&by=mont", "unknown_word", "`month`"),
        ("runs/r1/logs?format=jsn", "unknown_word", "`json`"),
        ("runs/r1/logs?stream=stdot", "unknown_word", "`stdout`"),
        ("wants?state=opn", "bad_state", "`open`"),
        ("runs?state=nope", "bad_state", "`failed`"),
        ("datasets?state=nope", "bad_state", "`missing`"),
        ("partitions?state=nope", "bad_state", "`missing`"),
        ("plans?sort=nope", "bad_sort", "`newest`"),
        ("events?sort=nope", "bad_sort", "`newest`"),
    ] {
        let (status, body) = server.json("GET", &format!("/api/v1/{query}"), "");
        assert_eq!((status, body["error"].as_str()), (422, Some(code)), "{query}: {body}");
        assert!(body["message"].as_str().unwrap().contains(meant), "{query}: {body}");
    }
}
