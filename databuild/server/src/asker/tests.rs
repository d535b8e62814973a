//! What tokens are for, over HTTP.

mod counts;
mod pages;

use super::super::document::operations;
use super::super::fuzz::Server;
use super::super::routes::description;
use super::*;
use serde_json::{json, Value};

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
        assert_eq!(needed(&Method::from_bytes(method.as_bytes()).unwrap(), path), scope, "{method} {path}");
    }
}

#[tokio::test]
async fn who_may_see_some_datasets_asks_about_those_alone() {
    let (app, _running) = super::super::fuzz::app_with_graph().await;
    let body = json!({ "targets": ["daily/city=oslo/date=2024-01-01"] });
    crate::app::wants::create(&app, serde_json::from_value(body).unwrap(), None).await.unwrap();
    let holder = |datasets: &str| Asker::Holder {
        name: "t".into(),
        scopes: vec![Scope::Want, Scope::Approve],
        datasets: vec!["x*".to_owned(), datasets.to_owned()],
    };
    let ask_as = |datasets: &str, method: &str, path: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let (app, asker) = (&app, holder(datasets));
        async move { asker.pass(app, request).await.map_err(|error| error.body.error) }
    };
    let ask = |method, path, body| ask_as("daily", method, path, body);
    for path in [
        "/api/v1/partitions?ref=daily/city%3Doslo",
        "/api/partitions",
        "/api/v1/why?partition=daily",
        "/api/v1/wants",
        "/api/v1/datasets/daily",
        "/api/v1/wants/w1/progress?wait_ms=1",
        "/metrics",
        "/",
        "/datasets/daily?sel=daily/city%3Doslo",
        "/runs?job=&state=&partition=",
        "/graph?package=//",
        "/wants/w1?ask=cancel",
        "/changes/latest?base=",
        "/live?follow=true&of=runs+run:r9",
        "/go?q=customer",
    ] {
        assert!(ask("GET", path, "").await.is_ok(), "{path}");
    }
    for path in [
        "/api/v1/partitions?ref=customer",
        "/api/v1/partitions?ref=daily&ref=customer",
        "/api/v1/partitions?ref=daily&r%65f=customer",
        "/api/v1/partitions?ref=nothing",
        "/api/v1/datasets/customer",
        "/api/v1/events?dataset=customer",
        "/api/v1/graph/drawing?around=//:open",
        "/datasets/customer?tab=history",
        "/datasets/daily?sel=customer",
        "/partition?ref=customer/customer=a",
        "/graph?around=//:open",
        "/graph?package=sales",
    ] {
        assert_eq!(ask("GET", path, "").await.unwrap_err(), "unknown_dataset", "{path}");
    }
    for (path, code) in [
        ("/api/v1/wants/w2", "want_not_found"),
        ("/api/v1/wants/x/why", "want_not_found"),
        ("/api/v1/runs?job=open", "unknown_job"),
        ("/api/v1/keys/customers", "unknown_key_space"),
        ("/api/v1/graph", "outside_of_token"),
        ("/runs/r1", "run_not_found"),
        ("/wants/w2?ask=cancel", "want_not_found"),
        ("/plans/p1", "plan_not_found"),
        ("/live?follow=true&log=r1-1", "run_not_found"),
        ("/timeline?want=w2", "want_not_found"),
        ("/runs?job=//:open", "unknown_job"),
        ("/compare", "outside_of_token"),
        ("/changes/latest?base=1", "outside_of_token"),
        ("/changes/latest?ask=judge&job=//:make", "outside_of_token"),
        ("/what-comes-later", "outside_of_token"),
        ("/api/v1/compare?a=r1", "outside_of_token"),
        ("/api/v1/server/disk", "outside_of_token"),
        ("/api/v1/what-comes-later", "outside_of_token"),
    ] {
        assert_eq!(ask("GET", path, "").await.unwrap_err(), code, "{path}");
    }
    let passed =
        ask("POST", "/api/v1/wants", r#"{"targets": ["daily"], "class": "backfill"}"#).await.unwrap();
    let body = axum::body::to_bytes(passed.into_body(), 1 << 20).await.unwrap();
    assert!(body.ends_with(b"\"backfill\"}"), "the handler gets all of it");
    for (body, code) in [
        (r#"{"targets": ["daily", "customer"]}"#, "unknown_dataset"),
        (r#"{"targets": []}"#, "outside_of_token"),
        ("{}", "outside_of_token"),
        ("x", "outside_of_token"),
    ] {
        assert_eq!(ask("POST", "/api/v1/plans", body).await.unwrap_err(), code, "{body}");
    }
    for (path, form, code) in [
        ("/plans", "csrf=0&targets=daily+customer", "unknown_dataset"),
        ("/plans", "csrf=0&targets=daily%0Acustomer", "unknown_dataset"),
        ("/plans", "csrf=0", "outside_of_token"),
        ("/plans/p1", "csrf=0", "plan_not_found"),
        ("/changes/1", "csrf=0&action=accept&job=//:make", "outside_of_token"),
    ] {
        assert_eq!(ask("POST", path, form).await.unwrap_err(), code, "{path} {form}");
    }
    assert!(ask("POST", "/plans", "csrf=0&targets=+daily%0A").await.is_ok());
    let both = r#"{"wants": [{"targets": ["daily"]}, {"targets": ["customer"]}]}"#;
    assert_eq!(ask("POST", "/api/v1/wants/batch", both).await.unwrap_err(), "unknown_dataset");
    // A want is about what it asks for.
    assert_eq!(ask_as("customer", "GET", "/api/wants/w1", "").await.unwrap_err(), "want_not_found");
    assert_eq!(ask("POST", "/api/v1/gc", "{}").await.unwrap_err(), "scope_missing");
}

/// A graph in which `eu_*` is made from `us_raw`, too.
fn two_regions() -> String {
    let days = json!({"kind": "time", "granularity": "day", "start": "2024-01-01", "end": "2024-01-03", "timezone": "UTC"});
    let dataset = |name: &str| {
        json!({
            "name": name, "label": format!("//d:{name}"), "external": false,
            "dims": [{"name": "day", "keys": days}], "path": format!("out/{name}/{{day}}"),
        })
    };
    let input = |name: &str| {
        json!({"name": name, "dataset": name, "dims": [{"dim": "day", "rule": {"kind": "same", "of": "day"}}],
               "before_start": "fail", "after_end": "fail"})
    };
    let job = |label: &str, output: &str, inputs: &[&str]| {
        json!({
            "label": label, "outputs": [output], "retries": 0, "backoff_ms": 1, "backoff_max_ms": 1,
            "inputs": inputs.iter().map(|name| input(name)).collect::<Vec<_>>(),
            "on_code_change": "stale", "sources": "s",
            "program": {"executable": "_main/make", "args": ["{day}"], "env": {}, "env_inherit": [],
                        "timeout_ms": null, "grace_ms": 1, "manifest": "m", "code": "c"},
        })
    };
    json!({
        "format": 2, "label": "//:graph",
        "datasets": [dataset("us_raw"), dataset("eu_in"), dataset("eu_sales")],
        "jobs": [
            job("//us:load", "us_raw", &[]),
            job("//eu:read", "eu_in", &[]),
            job("//eu:sum", "eu_sales", &["us_raw", "eu_in"]),
        ],
    })
    .to_string()
}

/// Pages that show what is of `eu_sales`, with these wants, runs and plans, and how they answer whose token is for `eu_*`.
fn pages(ids: &[String]) -> Vec<(String, u16)> {
    let mut found: Vec<(String, u16)> = [
        "/",
        "/datasets",
        "/datasets?state=stale",
        "/datasets/eu_sales",
        "/datasets/eu_sales?sel=eu_sales",
        "/datasets/eu_sales?tab=history",
        "/datasets/eu_sales?tab=checks",
        "/datasets/eu_sales?tab=code",
        "/graph",
        "/graph?around=eu_sales",
        "/graph?package=//",
        "/runs",
        "/wants",
        "/plans",
        "/queue",
        "/server",
        "/timeline",
        "/partitions?ref=eu_sales",
        "/partition?ref=eu_sales/day%3D2024-01-01",
        "/partition?ref=eu_sales/day%3D2024-01-03",
        "/events",
        "/changes",
        "/changes/latest",
        "/checks",
        "/metrics",
    ]
    .map(|target| (target.to_owned(), 200))
    .into();
    found.extend(
        ["/compare", "/changes/latest?ask=judge", "/what-comes-later"].map(|target| (target.to_owned(), 403)),
    );
    for id in ids {
        let noun = match &id[..1] {
            "w" => "wants",
            "r" => "runs",
            _ => "plans",
        };
        found.push((format!("/{noun}/{id}"), 200));
        if noun == "wants" {
            found.extend(
                [format!("/wants/{id}?ask=cancel"), format!("/timeline?want={id}")]
                    .map(|target| (target, 200)),
            );
        }
    }
    found
}

/// Waits for the end of a want.
fn over(server: &Server, id: &str) {
    let mut after = 0;
    loop {
        let path = format!("/api/v1/wants/{id}/progress?after={after}&wait_ms=30000");
        let (_, answer) = server.json("GET", &path, "");
        if answer["want"]["state"] != "open" {
            return;
        }
        after = answer["seq"].as_u64().unwrap();
    }
}

/// A server with work of both regions, and a token for one of them.
struct Regions {
    server: Server,
    token: String,
    /// Ids of its wants, runs and plans, and those of the other.
    own: Vec<String>,
    others: Vec<String>,
}

impl Regions {
    fn start() -> Regions {
        let (server, day) = (Server::running(&two_regions()), "2024-01-01");
        let day = |dataset: &str| json!({"targets": [format!("{dataset}/day={day}")]});
        let wants = ["us_raw", "eu_in", "eu_sales", "us_raw"].map(day);
        let plans = ["us_raw", "eu_in"].map(day);
        Regions::with(server, &wants, &plans)
    }

    /// With these wants, of which each is over before the next one begins, and these plans.
    fn with(server: Server, wants: &[Value], plans: &[Value]) -> Regions {
        for want in wants {
            let (status, want) = server.json("POST", "/api/v1/wants", &want.to_string());
            assert_eq!(status, 201, "{want}");
            if server.has_runner() {
                over(&server, want["id"].as_str().unwrap());
            }
        }
        for plan in plans {
            assert_eq!(server.json("POST", "/api/v1/plans", &plan.to_string()).0, 201);
        }
        let made =
            json!({"name": "eu", "scopes": ["read", "want", "operate", "approve"], "datasets": ["eu_*"]});
        let (status, made) = server.json("POST", "/api/v1/tokens", &made.to_string());
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().unwrap().to_owned();
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (list, of) in [("wants", "/targets/0"), ("runs", "/partition"), ("plans", "/targets/0")] {
            let (_, page) = server.json("GET", &format!("/api/v1/{list}?limit=1000"), "");
            for row in page["data"].as_array().unwrap() {
                let id = row["id"].as_str().unwrap().to_owned();
                let is_own = row.pointer(of).unwrap().as_str().unwrap().starts_with("eu_");
                if is_own {
                    own.push(id)
                } else {
                    others.push(id)
                }
            }
        }
        Regions { server, token, own, others }
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        // A stream has no end; this is how it begins.
        let until = if target.contains("/stream") { "retry: 1000\nid: " } else { "\0" };
        self.ask_until(method, target, body, until)
    }

    fn ask_until(&self, method: &str, target: &str, body: &str, until: &str) -> (u16, String) {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let answer = self.server.send_until(request.as_bytes(), until);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn get(&self, target: &str) -> Value {
        let (status, body) = self.ask("GET", target, "");
        assert_eq!(status, 200, "{target}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// What an answer names of the other region.
    fn foreign(&self, body: &str) -> Vec<String> {
        let words: Vec<&str> = body.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let ids = self.others.iter().filter(|id| words.contains(&id.as_str())).cloned();
        let names = ["us_raw", "//us", "us:load"].into_iter().filter(|name| body.contains(name));
        ids.chain(names.map(str::to_owned)).collect()
    }
}

#[test]
fn no_answer_names_what_a_token_is_not_for() {
    let regions = Regions::start();
    let document = description();
    let of = |ids: &[String], letter: char| {
        ids.iter().filter(|id| id.starts_with(letter)).cloned().collect::<Vec<_>>()
    };
    assert!(regions.own.iter().chain(&regions.others).any(|id| id.starts_with('r')));
    let mut told = 0;
    for (route, operation) in operations(&document) {
        let Some(path) = route.strip_prefix("GET ") else { continue };
        let letter = ["wants", "runs", "job_runs", "plans", "trials"]
            .into_iter()
            .find(|noun| path.contains(&format!("/{noun}/")));
        let letter = letter.map(|noun| if noun == "job_runs" { 'r' } else { noun.chars().next().unwrap() });
        let filled: Vec<(String, bool)> = match (letter, path) {
            (Some(letter), _) => {
                let path = |id: &String| path.replace("{id}", id).replace("{stream}", "stdout");
                let own = of(&regions.own, letter).iter().map(|id| (path(id), true)).collect::<Vec<_>>();
                let others = of(&regions.others, letter);
                own.into_iter().chain(others.iter().map(|id| (path(id), false))).collect()
            }
            (None, path) if path.contains("{name}") => {
                vec![(path.replace("{name}", "eu_sales"), true), (path.replace("{name}", "us_raw"), false)]
            }
            (None, path) if path.contains("{seq}") => {
                let (_, all) = regions.server.json("GET", "/api/v1/events?limit=1000", "");
                let numbers = all["data"].as_array().unwrap().iter().map(|event| event["seq"].clone());
                numbers.map(|seq| (path.replace("{seq}", &seq.to_string()), true)).collect()
            }
            (None, path) => {
                let path =
                    path.replace("{id}", "latest").replace("{space}", "none").replace("{code}", "no_graph");
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let names: Vec<&str> =
                    parameters.filter_map(|parameter| parameter["name"].as_str()).collect();
                let mut filled = vec![(path.clone(), true)];
                for (name, own, other) in [
                    ("ref", "eu_sales", "us_raw"),
                    ("partition", "eu_sales/day=2024-01-01", "us_raw/day=2024-01-01"),
                    ("dataset", "eu_sales", "us_raw"),
                    ("job", "//eu:sum", "//us:load"),
                    ("around", "eu_sales", "us_raw"),
                    ("want", &of(&regions.own, 'w')[0], &of(&regions.others, 'w')[0]),
                    ("run", &of(&regions.own, 'r')[0], &of(&regions.others, 'r')[0]),
                    ("cause", &of(&regions.own, 'w')[0], &of(&regions.others, 'w')[0]),
                    ("after", "0", "0"),
                ] {
                    if names.contains(&name) {
                        filled.push((format!("{path}?{name}={own}"), true));
                        filled.push((format!("{path}?{name}={other}"), name == "after"));
                    }
                }
                filled
            }
        };
        for (target, is_own) in filled {
            let (status, body) = regions.ask("GET", &target, "");
            if !is_own {
                // It is told what somebody is told who names what never was.
                let id = regions.others.iter().find(|id| target.split(['/', '=']).any(|part| part == *id));
                let never = id.map_or("us_never".to_owned(), |id| format!("{}999", &id[..1]));
                let name = id.map_or("us_raw", String::as_str);
                let (name, never) = match target.contains("//us:load") {
                    true => ("//us:load", "//us:never".to_owned()),
                    false => (name, never),
                };
                assert!([404, 422].contains(&status), "{target}: {status} {body}");
                let (also, other) = regions.ask("GET", &target.replace(name, &never), "");
                assert_eq!((status, body.replace(name, "?")), (also, other.replace(&never, "?")), "{target}");
            } else if !(target.ends_with("/openapi.json") || target.contains("/errors")) {
                assert_eq!(regions.foreign(&body), [""; 0], "{target}: {body}");
            }
            told += usize::from(status == 200);
        }
    }
    assert!(told > 60, "{told}");
    for (page, status) in pages(&regions.own) {
        let (found, body) = regions.ask("GET", &page, "");
        assert_eq!((found, regions.foreign(&body)), (status, vec![]), "{page}: {body}");
    }
    for id in &regions.others {
        let noun = match &id[..1] {
            "w" => "wants",
            "r" => "runs",
            _ => "plans",
        };
        let never = format!("{}999", &id[..1]);
        let asked = [id, &never].map(|id| {
            let (status, body) = regions.ask("GET", &format!("/{noun}/{id}"), "");
            (status, body.replace(id, "?"))
        });
        assert!(asked[0] == asked[1] && asked[0].0 == 404, "{asked:?}");
    }
    for (method, target, body) in [
        ("POST", "/api/v1/wants", r#"{"targets": ["us_raw"]}"#),
        ("POST", "/api/v1/plans", r#"{"targets": ["eu_sales", "us_rav"]}"#),
        ("POST", "/api/v1/plans", r#"{"targets": ["eu_sales"]}"#),
        ("POST", "/api/v1/jobs/invoke", r#"{"job": "//eu:laod", "targets": ["eu_sales"]}"#),
    ] {
        let (status, answer) = regions.ask(method, target, body);
        assert_eq!(regions.foreign(&answer.replace("`us_raw`", "")), [""; 0], "{target} {status}: {answer}");
    }
}

#[test]
fn lists_and_counts_of_a_token_are_of_what_it_is_for() {
    let regions = Regions::start();
    let ids = |list: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = regions.get(&format!("/api/v1/{list}?limit=1{cursor}"));
            found.extend(
                page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    let listed = [ids("wants"), ids("runs"), ids("plans")].concat();
    assert_eq!(listed, regions.own);
    let stats = regions.get("/api/v1/stats");
    let count = |letter| regions.own.iter().filter(|id| id.starts_with(letter)).count();
    let totals = ["runs", "wants", "partitions"].map(|of| stats[of]["total"].as_u64().unwrap());
    assert_eq!(totals, [count('r') as u64, count('w') as u64, 6]);
    let partitions = regions.get("/api/v1/partitions?limit=1000");
    assert_eq!(partitions["data"].as_array().unwrap().len(), 6);
    let drawn = regions.get("/api/v1/graph/drawing");
    assert_eq!(drawn["nodes"].as_array().unwrap().len(), 2);
    let detail = regions.get("/api/v1/graphs/latest");
    assert_eq!(
        (&detail["jobs"], &detail["datasets"]),
        (&json!(["//eu:read", "//eu:sum"]), &json!(["eu_in", "eu_sales"]))
    );
    let server = regions.get("/api/v1/server");
    assert_eq!(server["datasets"].as_array().unwrap().len(), 2);
    // The stream tells the same events as the list.
    let events = regions.get("/api/v1/events?limit=1000");
    let numbers: Vec<u64> =
        events["data"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    let last = format!("id: {}\nevent: event\ndata: ", numbers.last().unwrap());
    let (_, stream) = regions.ask_until("GET", "/api/v1/events/stream?after=0", "", &last);
    assert_eq!(regions.foreign(&stream), [""; 0], "{stream}");
    let before = stream.split("\nevent: event\n").map(|part| part.rsplit("id: ").next().unwrap().to_owned());
    let mut told: Vec<u64> = before.filter_map(|id| id.parse().ok()).collect();
    told.dedup();
    assert!(numbers.len() > 5, "{events}");
    assert_eq!(told, numbers);
}

#[test]
fn assistants_see_what_their_token_is_for() {
    let regions = Regions::start();
    let call = |tool: &str, args: Value| {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": args}});
        let (status, body) = regions.ask("POST", "/mcp", &message.to_string());
        assert_eq!(status, 200, "{body}");
        body
    };
    let id = |ids: &[String], letter: char| ids.iter().find(|id| id.starts_with(letter)).cloned().unwrap();
    let (own, other) = (|letter| id(&regions.own, letter), |letter| id(&regions.others, letter));
    for (tool, args) in [
        ("datasets", json!({})),
        ("partitions", json!({"ref": "eu_sales"})),
        ("why", json!({"of": "eu_sales/day=2024-01-01"})),
        ("why", json!({"of": own('w')})),
        ("plan", json!({"targets": ["eu_sales"]})),
        ("wants", json!({})),
        ("wants", json!({"id": own('w')})),
        ("runs", json!({})),
        ("runs", json!({"id": own('r')})),
        ("checks", json!({})),
        ("events", json!({"after": 0})),
    ] {
        let body = call(tool, args.clone());
        assert!(!body.contains("\"isError\":true"), "{tool} {args}: {body}");
        assert_eq!(regions.foreign(&body), [""; 0], "{tool} {args}: {body}");
    }
    for (tool, args) in [
        ("partitions", json!({"ref": "us_raw"})),
        ("why", json!({"of": "us_raw/day=2024-01-01"})),
        ("why", json!({"of": other('r')})),
        ("wants", json!({"id": other('w')})),
        ("runs", json!({"job": "//us:load"})),
        ("cancel", json!({"id": other('w')})),
        ("diff", json!({})),
    ] {
        let body = call(tool, args.clone());
        assert!(body.contains("\"isError\":true"), "{tool} {args}: {body}");
    }
}
