//! The pages over HTTP, as a browser and as others ask for them.

mod cookies;
mod limited;

use super::super::fuzz::{app_with, app_with_graph};
use super::super::sessions::Link;
use super::super::{router, App, Encrypted, Guard};
use crate::app::tokens;
use databuild_core::decide::queue::{self, Counted};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// A server with a graph, and a browser that is signed in.
struct Bench {
    app: App,
    address: SocketAddr,
    cookie: String,
    runtime: tokio::runtime::Runtime,
    /// The engine and its folder, which outlive the requests.
    _running: Box<dyn std::any::Any>,
}

/// An answer: its status, its head and its body.
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(app_with_graph())
    }

    fn with<R: std::any::Any>(app: impl std::future::Future<Output = (App, R)>) -> Bench {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (mut app, running) = runtime.block_on(app);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let guard = Guard { address, ..Guard::clone(&app.guard) };
        Arc::make_mut(&mut app.shared).guard = Arc::new(guard);
        let routes = router(app.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        let mut bench = Bench { app, address, cookie: String::new(), runtime, _running: Box::new(running) };
        bench.cookie = bench.signed_in();
        bench
    }

    /// The cookie that a link is good for.
    fn signed_in(&self) -> String {
        self.signed_in_as("ada")
    }

    fn signed_in_as(&self, person: &str) -> String {
        let link = Link { person: person.to_owned(), token: None };
        let code = self.app.guard.sessions.link(link, crate::os::now()).unwrap();
        self.cookie_of(&format!("/sign-in?code={code}"))
    }

    /// The cookie of a browser that was signed in by a token.
    fn signed_in_by(&self, token: &str) -> String {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let link = self.ask("POST", "/api/v1/sign-in-links", &bearer, "");
        assert_eq!(link.status, 201, "{}", link.body);
        let link: serde_json::Value = serde_json::from_str(&link.body).unwrap();
        self.cookie_of(link["path"].as_str().unwrap())
    }

    /// The cookie that the link at this path is good for.
    fn cookie_of(&self, path: &str) -> String {
        let entered = self.ask("GET", path, "", "");
        assert_eq!((entered.status, entered.header("location")), (303, "/"));
        assert!(!entered.header("set-cookie").contains("Secure"), "the connection is not encrypted");
        entered.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Got {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        write!(stream, "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Got { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
    }

    fn get(&self, target: &str) -> Got {
        self.get_with(target, "")
    }

    /// With further headers, of which each ends with a line break.
    fn get_with(&self, target: &str, headers: &str) -> Got {
        self.ask("GET", target, &format!("Cookie: {}\r\n{headers}", self.cookie), "")
    }

    /// A form of this server's page, sent from a page of `origin` if there is one.
    fn post(&self, target: &str, origin: Option<&str>, body: &str) -> Got {
        let origin = origin.map_or_else(String::new, |origin| format!("Origin: {origin}\r\n"));
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.ask("POST", target, &format!("Cookie: {}\r\n{form}{origin}", self.cookie), body)
    }

    fn own(&self) -> String {
        format!("http://127.0.0.1:{}", self.address.port())
    }

    /// What forms of the page at this address send along.
    fn csrf(&self, target: &str) -> String {
        let page = self.get(target).body;
        page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let own = |line: &&str| line.split_once(": ").is_some_and(|(own, _)| own.eq_ignore_ascii_case(name));
        self.head.lines().find(own).map_or("", |line| line.split_once(": ").unwrap().1)
    }
}

/// Pages of the graph of tests, with what each must show.
const PAGES: [(&str, &str); 32] = [
    ("/", "<h1>Now</h1>"),
    ("/datasets", "<b>2 datasets</b>"),
    ("/datasets?q=cust", "/datasets/customer"),
    ("/datasets/daily", "By date and city"),
    ("/datasets/daily?by=month&x=date&y=-", "one cell is up to 62 partitions"),
    ("/datasets/daily?sel=daily/city=oslo/date=2024-01-01..2024-01-03", "Plan 3 partitions"),
    ("/datasets/daily?tab=history", "No run has made any of it."),
    ("/datasets/daily?tab=checks", "No check has looked at it."),
    ("/datasets/daily?tab=code", "//:make"),
    ("/graph", "href=\"/graph?around=daily\""),
    ("/graph?around=daily&depth=1", "Around <b class=\"m\">daily</b>"),
    ("/graph?package=//", "The package"),
    ("/datasets/customer", "There is nothing to show here."),
    ("/runs", "There is no such run."),
    ("/wants", "There is no such want."),
    ("/plans", "No plan is kept."),
    ("/automation", "<a href=\"/automation/nightly\">"),
    ("/automation/nightly", "Next ticks"),
    ("/queue", "Nothing is running, and nothing waits."),
    ("/server", "up for <b>"),
    ("/timeline", "No run was under way then."),
    ("/timeline?from=2024-01-01T00:00:00Z&until=2024-01-02T00:00:00Z", "2024-01-02T00:00:00Z"),
    ("/partitions?ref=daily/city=oslo", "/partition?ref=daily/city=oslo/date=2024-01-01"),
    ("/events", "<a class=\"m\" href=\"/events/1\">1</a>"),
    ("/events?kind=run_ended&sort=oldest", "There is no such event."),
    ("/events/1", "What it says"),
    ("/changes", "the first one"),
    ("/changes/latest", "No other was registered before it."),
    ("/changes/1", "It has <b>2 jobs</b>"),
    ("/checks", "The graph has no checks"),
    ("/compare", "Two runs, or a run"),
    ("/checks?ref=daily&outcome=failed", "There is no such result."),
];

#[test]
fn pages_show_what_they_are_asked_for_under_one_policy_and_nothing_is_inline() {
    let bench = Bench::new();
    for (target, shows) in PAGES {
        let page = bench.get(target);
        assert_eq!(page.status, 200, "{target}: {}", page.body);
        assert!(page.body.contains(shows), "{target} does not show {shows}: {}", page.body);
        assert!(page
            .header("content-security-policy")
            .starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert_eq!(page.header("cache-control"), "private, no-cache", "{target}");
        // What the policy forbids would not work, and nobody would see why.
        for inline in [" style=", "<style", "<script>", " onclick=", "javascript:"] {
            assert!(!page.body.contains(inline), "{target} has {inline}");
        }
    }
}

/// A thousand datasets of a thousand partitions, each made from the one before.
fn graph_of_a_million() -> String {
    use serde_json::{json, Value};
    let name = |n: usize| format!("area{}/set{n}", n % 40);
    let keys: Vec<String> = (0..10).map(|n| format!("city{n}")).collect();
    let dims = json!([
        {"name": "city", "keys": {"kind": "static", "keys": keys}},
        {"name": "date", "keys": {"kind": "time", "granularity": "day", "start": "2024-01-01", "end": "2024-04-09", "timezone": "UTC"}},
    ]);
    let dataset = |n: usize| {
        let path = format!("out/{}/{{city}}/{{date}}", name(n));
        json!({"name": name(n), "label": format!("//:{n}"), "external": false, "dims": dims, "path": path})
    };
    let same = |dim: &str| json!({"dim": dim, "rule": {"kind": "same", "of": dim}});
    let input = |n: usize| json!({"name": "before", "dataset": name(n), "dims": [same("city"), same("date")], "before_start": "clip", "after_end": "clip"});
    let job = |n: usize| {
        let inputs: Vec<Value> = n.checked_sub(1).map(input).into_iter().collect();
        let program = json!({"executable": "x", "args": [], "env": {}, "env_inherit": [], "manifest": "m", "code": "c"});
        json!({
            "label": format!("//:make{n}"), "program": program, "inputs": inputs, "outputs": [name(n)], "retries": 0,
            "backoff_ms": 1, "backoff_max_ms": 1, "on_code_change": "stale", "sources": "s"
        })
    };
    let (datasets, jobs): (Vec<Value>, Vec<Value>) = (0..1_000).map(|n| (dataset(n), job(n))).unzip();
    json!({"format": 2, "label": "//:graph", "datasets": datasets, "jobs": jobs}).to_string()
}

#[test]
fn a_page_is_small_however_much_there_is() {
    let graph = graph_of_a_million();
    let bench = Bench::with(app_with(&graph));
    let csrf = bench.csrf("/plans");
    let form = format!("csrf={csrf}&targets=area39/set999");
    assert_eq!(bench.post("/plans", Some(&bench.own()), &form).header("location"), "/plans/p1");
    let applied = bench.post("/plans/p1", Some(&bench.own()), &format!("csrf={csrf}"));
    assert_eq!(applied.header("location"), "/wants/w1", "{}", applied.body);
    assert!(bench
        .get("/plans/p1")
        .body
        .contains("Want <a class=\"m\" href=\"/wants/w1\">w1</a> carries it out"));
    for target in [
        "/",
        "/datasets",
        "/datasets?sort=missing&cursor=900",
        "/datasets/area39/set999",
        "/datasets/area39/set999?sel=area39/set999",
        "/partitions?ref=area39/set999",
        "/partition?ref=area39/set999/city=city3/date=2024-02-01",
        "/graph",
        "/graph?package=area7",
        "/graph?around=area20/set500&depth=all",
        "/runs",
        "/wants",
        "/wants/w1",
        "/plans",
        "/plans/p1",
    ] {
        let page = bench.get_with(target, "Accept-Encoding: gzip\r\n");
        assert_eq!((page.status, page.header("content-encoding")), (200, "gzip"), "{target}: {}", page.body);
        let bytes: usize = page.header("content-length").parse().unwrap();
        assert!(bytes <= 60_000, "{target} has {bytes} bytes");
    }
}

#[test]
fn who_has_a_page_is_told_so_until_it_changes() {
    let bench = Bench::new();
    let again = |target: &str, tag: &str| bench.get_with(target, &format!("If-None-Match: {tag}\r\n"));
    for target in ["/", "/datasets", "/datasets?part=datasets", "/graph"] {
        let page = bench.get(target);
        let same = again(target, page.header("etag"));
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{target}");
        // What a browser keeps of it is guarded as before.
        for name in ["etag", "content-security-policy", "cache-control"] {
            assert_eq!(same.header(name), page.header(name), "{target}: {name}");
        }
        assert_eq!(again(target, "\"page-0\"").status, 200, "{target}");
    }
    let (before, part) = (bench.get("/plans"), bench.get("/datasets?part=datasets"));
    // Forms of another browser have another token.
    let other = Bench { cookie: bench.signed_in_as("bea"), ..bench };
    let theirs = other.get_with("/plans", &format!("If-None-Match: {}\r\n", before.header("etag")));
    assert_eq!(theirs.status, 200);
    let csrf = other.csrf("/plans");
    other.post("/plans", Some(&other.own()), &format!("csrf={csrf}&targets=daily/city=oslo"));
    let again = |target: &str, tag: &str| other.get_with(target, &format!("If-None-Match: {tag}\r\n")).status;
    assert_eq!(again("/plans", theirs.header("etag")), 200);
    assert_eq!(again("/datasets?part=datasets", part.header("etag")), 304, "a plan makes nothing");
    assert!(
        other.get("/runs/r9").header("etag").is_empty()
            && other.get("/").header("etag").starts_with("\"page-")
    );
}

#[test]
fn files_of_pages_are_kept_for_ever() {
    let bench = Bench::new();
    let page = bench.ask("GET", "/", "", "");
    for file in ["/assets/style.", "/assets/app.", "/assets/icon."] {
        let at = page.body.find(file).unwrap();
        let path = page.body[at..].split('"').next().unwrap();
        let got = bench.ask("GET", path, "", "");
        assert_eq!((got.status, got.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    }
    assert_eq!(bench.ask("GET", "/assets/style.old.css", "", "").status, 404);
}

#[test]
fn who_is_not_signed_in_learns_how_and_sees_nothing() {
    let bench = Bench::new();
    for (target, _) in PAGES {
        let page = bench.ask("GET", target, "", "");
        assert_eq!(page.status, 401, "{target}");
        assert!(
            page.body.contains("bazel run //:databuild -- ui") && !page.body.contains("daily"),
            "{target}"
        );
    }
    let api = bench.ask("GET", "/api/v1/server", "", "");
    assert!(api.status == 401 && api.body.contains("\"unauthorized\""));
    let live = bench.ask("GET", "/live?follow=true", "", "");
    assert_eq!(live.status, 401);
    let late = bench.ask("GET", "/sign-in?code=00", "", "");
    assert!(late.status == 401 && late.header("set-cookie").is_empty() && late.body.contains("used already"));
}

#[test]
fn who_signs_in_by_a_token_may_do_what_it_may_as_long_as_it_is_good() {
    let bench = Bench::new();
    let body = serde_json::json!({"name": "viewer", "scopes": ["read"]});
    let made = tokens::create(&bench.app, serde_json::from_value(body).unwrap());
    let token = bench.runtime.block_on(made).unwrap().token.unwrap();
    let viewer = Bench { cookie: bench.signed_in_by(&token), ..bench };
    assert_eq!(viewer.get("/datasets").status, 200);
    // What the token is not for is not offered, and refused to who asks for it all the same.
    let offered = viewer.get("/plans").body;
    assert!(offered.contains("needs a token with the scope <code>want</code>"), "{offered}");
    assert!(!offered.contains("name=\"csrf\""), "{offered}");
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("cookie", viewer.cookie.parse().unwrap());
    let csrf = viewer.app.guard.sessions.of(&headers, crate::os::now()).unwrap().csrf;
    let own = viewer.own();
    let form = format!("csrf={csrf}&targets=daily/city=oslo");
    let refused = viewer.post("/plans", Some(&own), &form);
    assert!(refused.status == 403 && refused.body.contains("scope_missing"), "{}", refused.body);
    assert!(refused.header("content-type").starts_with("text/html"));
    assert_eq!(viewer.get("/api/v1/tokens").status, 403);
    let server = viewer.get("/server").body;
    let shows = |part: &str| server.contains(&format!("<section id=\"{part}\""));
    assert!(shows("disk") && !shows("tokens") && !shows("settings"), "{server}");
    assert_eq!(viewer.post("/seen", Some(&own), &form).status, 303);

    let mut stream = TcpStream::connect(viewer.address).unwrap();
    let cookie = &viewer.cookie;
    write!(stream, "GET /live?follow=true&of=plans HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n").unwrap();
    let mut told = String::new();
    while !told.contains("event: at") {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap();
        told.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    viewer.runtime.block_on(tokens::revoke(&viewer.app, "viewer".to_owned())).unwrap();
    let owner = Bench { cookie: viewer.signed_in(), ..viewer };
    let csrf = owner.csrf("/plans");
    owner.post("/plans", Some(&own), &format!("csrf={csrf}&targets=daily/city=oslo"));
    stream.read_to_string(&mut told).unwrap();
    assert!(!told.contains("event: moved"), "it ends with the token: {told}");
}

#[test]
fn who_was_signed_out_is_told_why() {
    let bench = Bench::new();
    let body = serde_json::json!({"name": "viewer", "scopes": ["read"]});
    bench.runtime.block_on(tokens::create(&bench.app, serde_json::from_value(body).unwrap())).unwrap();
    let cookie = |token: &str, at: jiff::Timestamp| {
        let link = Link { person: "viewer".to_owned(), token: Some(token.to_owned()) };
        let code = bench.app.guard.sessions.link(link, at).unwrap();
        let cookie = bench.app.guard.sessions.redeem(&code, at, false).unwrap();
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    };
    let now = crate::os::now();
    let (good, old) =
        (cookie("viewer", now), cookie("viewer", now - jiff::SignedDuration::from_hours(31 * 24)));
    let ask = |target: &str, cookie: &str| bench.ask("GET", target, cookie, "");
    assert_eq!(ask("/", &good).status, 200);
    bench.runtime.block_on(tokens::revoke(&bench.app, "viewer".to_owned())).unwrap();
    let (name, _) = good.split_once('=').unwrap();
    for (cookie, why) in [
        (good.as_str(), "was revoked or has expired"),
        (&cookie("nobody", now), "was revoked or has expired"),
        (&old, "more than 30 days ago"),
        (&format!("{name}=1.2.3\r\n"), "has another token now"),
        ("", "Only who can read this workspace"),
    ] {
        let page = ask("/runs", cookie);
        assert!(page.status == 401 && page.body.contains(why), "{why}: {}", page.body);
        assert_eq!(ask("/api/v1/runs", cookie).status, 401);
    }
}

#[test]
fn what_signs_in_over_an_encrypted_connection_is_sent_over_no_other() {
    use tower::ServiceExt as _;
    let bench = Bench::new();
    let guard = Guard { hosts: vec!["data.example".to_owned()], ..Guard::clone(&bench.app.guard) };
    let mut app = bench.app.clone();
    Arc::make_mut(&mut app.shared).guard = Arc::new(guard);
    let cookie = |host: &str, encrypted: bool| {
        let link = Link { person: "ada".to_owned(), token: None };
        let code = app.guard.sessions.link(link, crate::os::now()).unwrap();
        let mut request = axum::extract::Request::get(format!("/sign-in?code={code}")).header("host", host);
        if encrypted {
            request = request.extension(Encrypted);
        }
        let answer = router(app.clone()).oneshot(request.body(axum::body::Body::empty()).unwrap());
        let answer = bench.runtime.block_on(answer).unwrap();
        answer.headers()["set-cookie"].to_str().unwrap().to_owned()
    };
    assert!(cookie("127.0.0.1", true).ends_with("; Secure"));
    assert!(cookie("data.example:8443", false).ends_with("; Secure"), "it is behind a proxy");
    assert!(!cookie("127.0.0.1", false).contains("Secure"));
}

#[test]
fn errors_are_pages_for_people_and_json_for_programs() {
    let bench = Bench::new();
    for (target, status, says) in [
        ("/runs/r9", 404, "run_not_found"),
        ("/datasets/nope", 422, "unknown_dataset"),
        ("/nowhere", 404, "not_found"),
        ("/datasets/daily?x=zone", 422, "unknown_dimension"),
        ("/graph?around=nope", 422, "unknown_dataset"),
        ("/partitions", 422, "no_reference"),
        ("/timeline?from=yesterday", 422, "bad_time"),
        ("/timeline?want=w9", 404, "want_not_found"),
        ("/events/99", 404, "event_not_found"),
        ("/events?kind=nothing", 422, "unknown_word"),
        ("/events?before=x", 422, "bad_cursor"),
        ("/changes/99", 404, "graph_not_found"),
        ("/checks?outcome=good", 422, "unknown_word"),
        ("/checks?ref=nope", 422, "unknown_dataset"),
        ("/compare?a=r9", 404, "run_not_found"),
        ("/compare?a=nope", 422, "unknown_dataset"),
        ("/changes/1?ask=burn", 400, "bad_query"),
        ("/changes/1?ask=judge&job=//:make", 422, "nothing_to_accept"),
    ] {
        let page = bench.get(target);
        assert_eq!(page.status, status, "{target}: {}", page.body);
        assert!(
            page.header("content-type").starts_with("text/html") && page.body.contains(says),
            "{target}: {}",
            page.body
        );
        assert!(!page.header("content-security-policy").is_empty(), "{target}");
    }
    assert!(bench.get("/api/nowhere").header("content-type").starts_with("application/json"));
}

#[test]
fn nothing_is_changed_but_by_forms_of_our_own_pages() {
    let bench = Bench::new();
    let csrf = bench.csrf("/plans");
    let form = format!("csrf={csrf}&targets=daily/city=oslo/date=2024-01-01");
    let own = bench.own();
    let other = "http://127.0.0.1:1";
    for (origin, body, code) in [
        (None, form.as_str(), "bad_origin"),
        (Some(other), &form, "bad_origin"),
        (Some("null"), &form, "bad_origin"),
        (Some(&own), "targets=daily", "bad_form"),
        (Some(&own), "csrf=0&targets=daily", "bad_form"),
    ] {
        let refused = bench.post("/plans", origin, body);
        assert!(refused.status == 403 && refused.body.contains(code), "{origin:?} {body}: {}", refused.body);
    }
    // The API's own routes as well: a cookie says less than the token.
    let shutdown = bench.post("/api/v1/server/shutdown", None, "{}");
    assert!(shutdown.status == 403 && shutdown.body.contains("bad_origin"), "{}", shutdown.body);
    assert_eq!(bench.app.backend.engine.snapshot().state.plans().len(), 0);
    let made = bench.post("/plans", Some(&own), &form);
    assert_eq!((made.status, made.header("location")), (303, "/plans/p1"), "{}", made.body);
    let shown = bench.get("/plans/p1").body;
    assert!(shown.contains("1 partition would be built") && shown.contains("databuild apply p1"), "{shown}");
}

#[test]
fn a_want_is_asked_about_before_it_is_changed_and_who_did_it_is_known() {
    let bench = Bench::new();
    let own = bench.own();
    let csrf = bench.csrf("/plans");
    bench.post("/plans", Some(&own), &format!("csrf={csrf}&targets=daily/city=oslo"));
    let applied = bench.post("/plans/p1", Some(&own), &format!("csrf={csrf}&class=backfill"));
    assert_eq!(applied.header("location"), "/wants/w1", "{}", applied.body);
    let want = bench.get("/wants/w1").body;
    assert!(want.contains("ada") && want.contains("with ui") && want.contains("366"), "{want}");
    let ask = bench.get("/wants/w1?ask=cancel").body;
    assert!(ask.contains("Cancel w1?") && ask.contains("databuild cancel w1"), "{ask}");
    assert!(bench.app.backend.engine.snapshot().state.wants().len() == 1, "asking changes nothing");
    let paused = bench.post("/wants/w1", Some(&own), &format!("csrf={csrf}&action=pause"));
    assert_eq!(paused.status, 303);
    assert!(bench.get("/wants/w1").body.contains("is paused"));
    bench.post("/wants/w1", Some(&own), &format!("csrf={csrf}&action=cancel"));
    assert!(bench.get("/wants/w1").body.contains("was canceled"));
}

#[test]
fn the_queue_says_what_is_next_and_all_pages_count_it_alike() {
    let bench = Bench::new();
    let own = bench.own();
    let csrf = bench.csrf("/plans");
    bench.post(
        "/plans",
        Some(&own),
        &format!("csrf={csrf}&targets=daily/city=oslo/date=2024-01-01..2024-01-05"),
    );
    bench.post("/plans/p1", Some(&own), &format!("csrf={csrf}&class=backfill"));
    let state = std::sync::Arc::clone(&bench.app.backend.engine.snapshot().state);
    let begun = databuild_core::decide::blocker::under_way(&state, 2).len();
    let waiting = queue::waiting(&state, 2, Counted::ALL);
    assert_eq!(begun as u64 + waiting, 5, "each partition is one or the other");
    let (queue, now) = (bench.get("/queue").body, bench.get("/").body);
    assert!(queue.contains("backfill, newest first") || waiting == 0, "{queue}");
    for page in [queue, now] {
        for (name, count) in [("Now", begun as u64), ("Queue", waiting)] {
            let counted = format!("<span>{name}</span><span>{count}</span>");
            let none = format!("<span>{name}</span></a>");
            assert!(page.contains(if count > 0 { &counted } else { &none }), "{name} {count}: {page}");
        }
        let running = format!("{begun} run{} on ", if begun == 1 { "" } else { "s" });
        assert!(
            page.contains(&running) && page.contains(&format!("{waiting} partition")),
            "{running}: {page}"
        );
    }
}

#[test]
fn the_server_tells_no_secret_and_looks_at_its_disk_only_where_that_is_shown() {
    let bench = Bench::new();
    let made = bench.runtime.block_on(crate::app::tokens::create(
        &bench.app,
        crate::api::CreateToken {
            name: "dashboard".to_owned(),
            scopes: vec!["read".to_owned()],
            datasets: Vec::new(),
            expires_seconds: None,
        },
    ));
    let token = made.unwrap_or_else(|_| panic!("made")).token.unwrap();
    let page = bench.get("/server").body;
    assert!(page.contains("dashboard") && page.contains("id=\"disk\""), "{page}");
    for secret in [token.clone(), crate::app::tokens::hash_of(&token)] {
        assert!(!page.contains(&secret));
    }
    let part = bench.get("/server?part=program%20lead").body;
    assert!(part.contains("id=\"program\"") && !part.contains("id=\"disk\""), "{part}");
}

#[test]
fn a_graph_is_shown_with_what_it_changed_against_the_one_before() {
    let bench = Bench::new();
    let content =
        super::super::fuzz::GRAPH.replacen("\"args\":[\"{date}\"]", "\"args\":[\"{date}\",\"--x=2\"]", 1);
    let registration = crate::engine::Registration {
        content: content.replacen("{\"full\":\"false\"}", "{}", 1),
        sources: Default::default(),
        inherited: Default::default(),
        leave: super::super::fuzz::leave(),
    };
    bench.runtime.block_on(bench.app.backend.engine.register(registration)).unwrap();
    let list = bench.get("/changes").body;
    assert!(list.contains("It changed <b>1 job</b>") && list.contains("the first one"), "{list}");
    let number = list.split("href=\"/changes/").nth(1).unwrap().split('"').next().unwrap();
    let shown = bench.get(&format!("/changes/{number}")).body;
    for part in [
        "<b>1 of 2 jobs</b> differs. Nothing is stale because of it now",
        "--x=2 was added",
        "parameter full=false was removed",
        "### DataBuild: 1 job differs, nothing goes stale",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let against_itself = bench.get(&format!("/changes/{number}?base=1")).body;
    assert!(against_itself.contains("Against <a href=\"/changes/1\">graph 1</a>"), "{against_itself}");
    // The one before is not judged any more.
    let own = bench.own();
    let csrf = bench.csrf("/plans");
    assert_eq!(bench.get("/changes/1?ask=judge&job=//:make").status, 409);
    let accept = format!("csrf={csrf}&action=accept&job=//:make&reason=harmless");
    let refused = bench.post(&format!("/changes/{number}"), Some(&own), &accept);
    assert!(refused.body.contains("nothing_to_accept"), "{}", refused.body);
}

#[test]
fn a_part_is_what_the_page_has_of_it() {
    let bench = Bench::new();
    let page = bench.get("/datasets").body;
    let part = bench.get("/datasets?part=datasets%20side").body;
    assert!(part.starts_with("<section id=\"datasets\"") && part.contains("<nav class=\"side\""), "{part}");
    assert!(!part.contains("<html") && page.contains(part.split("<nav").next().unwrap()));
    assert_eq!(bench.get("/datasets?part=nothing").body, "");
}

#[test]
fn a_page_that_is_left_open_does_not_keep_the_server_up() {
    let bench = Bench::new();
    let last = || bench.app.last_request_ms.swap(0, Ordering::Relaxed);
    last();
    let by_itself = format!("Cookie: {}\r\nX-Databuild-Background: 1\r\n", bench.cookie);
    bench.ask("GET", "/?part=running", &by_itself, "");
    assert_eq!(last(), 0);
    bench.get("/");
    assert_ne!(last(), 0);
}

#[test]
fn a_stream_tells_what_moved_and_no_more() {
    let bench = Bench::new();
    let mut stream = TcpStream::connect(bench.address).unwrap();
    write!(
        stream,
        "GET /live?follow=true&of=plans HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\n\r\n",
        bench.cookie
    )
    .unwrap();
    let mut told = String::new();
    let mut until = |what: &str| {
        while !told.contains(what) {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            assert!(read > 0, "{told}");
            told.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        std::mem::take(&mut told)
    };
    until("event: at");
    let engine = bench.app.backend.engine.clone();
    bench.runtime.block_on(async {
        engine.submit(databuild_core::decide::Input::SetSlots(3)).await.unwrap();
    });
    let own = bench.own();
    let csrf = bench.csrf("/plans");
    bench.post("/plans", Some(&own), &format!("csrf={csrf}&targets=daily/city=oslo"));
    let moved = until("event: moved\ndata: {\"of\":[\"plans\"]");
    assert!(!moved.contains("\"runs\""), "{moved}");
}

#[test]
fn the_box_leads_to_what_is_typed() {
    let bench = Bench::new();
    for (text, leads) in [
        ("r12", "/runs/r12"),
        ("w3", "/wants/w3"),
        ("p1", "/plans/p1"),
        ("daily", "/datasets/daily"),
        ("daily/city=oslo/date=2024-01-01", "/partition?ref=daily/city=oslo/date=2024-01-01"),
        ("daily/city=oslo", "/partitions?ref=daily/city=oslo"),
        ("//:make", "/runs?job=//:make"),
        ("1", "/changes/1"),
        ("cafe", "/datasets?q=cafe"),
        ("t9", "/datasets?q=t9"),
        ("999", "/datasets?q=999"),
        ("some%20thing", "/datasets?q=some%20thing"),
        ("//evil.example", "/datasets?q=//evil.example"),
    ] {
        assert_eq!(bench.get(&format!("/go?q={text}")).header("location"), leads, "{text}");
    }
}
