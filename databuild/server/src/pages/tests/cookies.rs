//! What a browser may do by its cookie, and how it gets one.

use super::*;

#[test]
fn a_link_is_used_up_only_by_a_browser_that_opens_it() {
    let bench = Bench::new();
    let link = Link { person: "ada".to_owned(), token: None };
    let code = bench.app.guard.sessions.link(link, crate::os::now()).unwrap();
    let path = format!("/sign-in?code={code}");
    for (method, headers) in [
        ("HEAD", ""),
        ("GET", "Sec-Purpose: prefetch;prerender\r\n"),
        ("GET", "Purpose: prefetch\r\n"),
        ("GET", "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"),
        ("GET", "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"),
        ("GET", "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n"),
    ] {
        let looked = bench.ask(method, &path, headers, "");
        assert_eq!((looked.status, looked.header("set-cookie")), (401, ""), "{method} {headers}");
    }
    let opened = bench.ask("GET", &path, "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", "");
    assert_eq!((opened.status, opened.header("location")), (303, "/"));
    assert!(!opened.header("set-cookie").is_empty());
    assert_eq!(bench.ask("GET", &path, "", "").status, 401, "once");
}

/// Whose page asks, what a browser says of how near that is, and whether it may change something by the cookie.
#[test]
fn a_cookie_acts_for_pages_of_this_server_and_of_allowed_origins_alone() {
    let bench = Bench::new();
    let app = "http://localhost:3000";
    let guard = Guard { allowed_origins: vec![app.to_owned()], ..Guard::clone(&bench.app.guard) };
    let mut allowing = bench.app.clone();
    Arc::make_mut(&mut allowing.shared).guard = Arc::new(guard);
    let (own, port) = (bench.own(), bench.address.port());
    let called_otherwise = format!("http://localhost:{port}");
    let rows: &[(&[&str], Option<&str>, bool)] = &[
        (&[&own], None, true),
        (&[&own], Some("same-origin"), true),
        (&[&own], Some("cross-site"), false),
        (&[&own], Some("none"), false),
        (&[&called_otherwise], Some("same-origin"), true),
        (&[app], None, true),
        (&[app], Some("same-site"), true),
        (&[app], Some("cross-site"), false),
        (&["http://localhost:3001"], Some("same-site"), false),
        (&["http://127.0.0.1:1"], Some("same-site"), false),
        (&["https://localhost:3000"], Some("same-site"), false),
        (&["http://evil.example"], Some("cross-site"), false),
        (&["null"], Some("cross-site"), false),
        (&["null"], None, false),
        (&[], None, false),
        (&[], Some("same-origin"), false),
        (&[], Some("none"), false),
        (&[&own, "http://evil.example"], None, false),
        (&["http://evil.example", &own], None, false),
    ];
    for (origins, site, may) in rows {
        for (method, target, body) in [
            ("POST", "/api/v1/wants", r#"{"targets": ["daily/city=oslo/date=2024-01-01"]}"#),
            ("DELETE", "/api/v1/wants/w99", ""),
            ("PUT", "/api/v1/server/slots", r#"{"slots": 2}"#),
        ] {
            use tower::ServiceExt as _;
            let mut request = axum::extract::Request::builder().method(method).uri(target);
            for (name, value) in
                [("host", "127.0.0.1"), ("cookie", &bench.cookie), ("content-type", "application/json")]
            {
                request = request.header(name, value);
            }
            for origin in *origins {
                request = request.header("origin", *origin);
            }
            if let Some(site) = site {
                request = request.header("sec-fetch-site", *site);
            }
            let request = request.body(axum::body::Body::from(body)).unwrap();
            let answer = bench.runtime.block_on(router(allowing.clone()).oneshot(request)).unwrap();
            let status = answer.status().as_u16();
            assert_eq!(status != 403, *may, "{method} {target} {origins:?} {site:?}: {status}");
            assert!(*may || answer.headers().get("set-cookie").is_none());
            let read =
                answer.headers().get("access-control-allow-origin").and_then(|value| value.to_str().ok());
            assert!(read.is_none_or(|read| read == app), "{origins:?} {read:?}");
        }
    }
}
