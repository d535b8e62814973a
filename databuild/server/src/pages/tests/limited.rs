//! What pages show to who signed in by a token for some datasets.

use super::*;
use serde_json::json;

/// A browser that was signed in by a token for these datasets, which may do everything with them.
fn limited(bench: Bench, datasets: &[&str]) -> Bench {
    let body = json!({"name": "some", "scopes": ["admin"], "datasets": datasets});
    let made = tokens::create(&bench.app, serde_json::from_value(body).unwrap());
    let token = bench.runtime.block_on(made).unwrap().token.unwrap();
    Bench { cookie: bench.signed_in_by(&token), ..bench }
}

#[test]
fn who_signs_in_by_a_token_for_some_datasets_sees_these_alone() {
    let viewer = limited(Bench::new(), &["daily"]);
    for (target, shows) in PAGES {
        let page = viewer.get(target);
        let (status, shows) = match target {
            "/compare" => (403, "outside_of_token"),
            "/datasets/customer" => (422, "unknown_dataset"),
            "/datasets" => (200, "<b>1 dataset</b>"),
            "/datasets?q=cust" => (200, "value=\"cust\""),
            "/changes" => (200, "New work follows graph"),
            "/changes/latest" => (200, "Of what you may see, it has <b>1 job</b>"),
            "/changes/1" => (200, "<b>1 dataset</b>"),
            // An event of no data, and of no run or want.
            "/events/1" => (404, "event_not_found"),
            "/events" => (200, "There is no such event."),
            _ => (200, shows),
        };
        assert_eq!(page.status, status, "{target}: {}", page.body);
        assert!(page.body.contains(shows), "{target} does not show {shows}: {}", page.body);
        // Who names it reads the name again.
        let is_told = page.body.contains("customer") && !target.contains("customer");
        assert!(!is_told && !page.body.contains("//:open"), "{target}: {}", page.body);
    }
    let server = viewer.get("/server").body;
    for part in ["tokens", "settings", "disk", "log"] {
        assert!(!server.contains(&format!("<section id=\"{part}\"")), "{part}: {server}");
    }
    for target in ["/datasets/daily", "/go?q=daily"] {
        let never = viewer.get(&target.replace("daily", "custom")).head;
        let other = viewer.get(&target.replace("daily", "customer")).head;
        let lasting = |head: &str| {
            let lines =
                head.lines().filter(|line| !line.starts_with("x-request-id") && !line.starts_with("date"));
            lines.collect::<Vec<_>>().join("\n").replace("customer", "custom")
        };
        let without_length = |head: &str| lasting(head).split("content-length").next().unwrap().to_owned();
        assert_eq!(without_length(&never), without_length(&other), "{target}");
    }
}

#[test]
fn forms_of_a_browser_with_some_datasets_are_about_these() {
    let viewer = limited(Bench::new(), &["daily"]);
    let own = viewer.own();
    let csrf = viewer.csrf("/plans");
    let refused = viewer.post("/plans", Some(&own), &format!("csrf={csrf}&targets=daily+customer"));
    assert!(refused.status == 422 && refused.body.contains("unknown_dataset"), "{}", refused.body);
    let made = viewer.post("/plans", Some(&own), &format!("csrf={csrf}&targets=daily/city=oslo"));
    assert_eq!((made.status, made.header("location")), (303, "/plans/p1"), "{}", made.body);
    assert_eq!(viewer.post("/plans/p1", Some(&own), &format!("csrf={csrf}")).header("location"), "/wants/w1");
    let canceled = viewer.post("/wants/w1", Some(&own), &format!("csrf={csrf}&action=cancel"));
    assert_eq!(canceled.status, 303, "{}", canceled.body);
    assert!(viewer.get("/wants/w1").body.contains("was canceled"));
    assert_eq!(viewer.post("/seen", Some(&own), &format!("csrf={csrf}")).status, 303);
    let judged = viewer.post("/changes/1", Some(&own), &format!("csrf={csrf}&action=accept&job=//:make"));
    assert!(judged.status == 403 && judged.body.contains("outside_of_token"), "{}", judged.body);
}

#[test]
fn an_open_page_is_told_of_others_only_that_data_moved() {
    let viewer = limited(Bench::new(), &["daily"]);
    let mut stream = TcpStream::connect(viewer.address).unwrap();
    write!(
        stream,
        "GET /live?follow=true&of=plans+wants+data HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\n\r\n",
        viewer.cookie
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
    let engine = viewer.app.backend.engine.clone();
    let keys = json!({"keys": ["a"]});
    let added = serde_json::from_value(keys).unwrap();
    viewer.runtime.block_on(crate::app::keys::add(&viewer.app, "customers".to_owned(), added)).unwrap();
    let seq = engine.snapshot().state.seq().0;
    let moved = until("event: moved");
    assert!(moved.contains(&format!("{{\"of\":[\"*\"],\"seq\":{seq}}}")), "{moved}");
    // A plan of others, then a want of their own.
    let body = |target: &str| json!({"targets": [target]});
    let plan = serde_json::from_value(body("customer/customer=a")).unwrap();
    viewer.runtime.block_on(crate::app::plans::create(&viewer.app, plan, None)).unwrap();
    let want = serde_json::from_value(body("daily/city=oslo/date=2024-01-01")).unwrap();
    viewer.runtime.block_on(crate::app::wants::create(&viewer.app, want, None)).unwrap();
    let moved = until("\"wants\"");
    assert!(!moved.contains("\"plans\""), "{moved}");
}
