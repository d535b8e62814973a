use super::super::fuzz::{app, app_with_graph};
use super::super::{description, router};
use super::*;
use axum::body::Body;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;

/// Methods and routes, as the server tells them.
fn routes() -> BTreeSet<(String, String)> {
    let description = description();
    let paths = description["paths"].as_object().unwrap().iter();
    let of = |(path, item): (&String, &serde_json::Value)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

async fn ask(app: &App, method: &str, path: &str, id: Option<&str>) -> Response {
    let token = format!("Bearer {}", app.guard.token.expose());
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("authorization", token)
        .header("content-type", "application/json");
    let request = id.iter().fold(request, |request, id| request.header(REQUEST_ID, *id));
    router(app.clone()).oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap()
}

/// What the server tells of itself.
async fn scraped(app: &App) -> String {
    let response = ask(app, "GET", "/metrics", None).await;
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_has_a_counter_and_a_histogram() {
    let (app, _running) = app_with_graph().await;
    let routes = routes();
    assert!(routes.len() > 40, "{routes:?}");
    for (method, route) in &routes {
        let path = route.replace("{id}", "x1").replace("{name}", "x").replace("{stream}", "stdout");
        drop(ask(&app, method, &path.replace(['{', '}'], ""), None).await);
    }
    // A part that may have slashes has a star there.
    let told = scraped(&app).await.replace("{*", "{");
    for (method, route) in routes {
        let labels = format!("method=\"{method}\",route=\"{route}\"");
        for (name, end) in [("http_requests_total", ",status="), ("http_request_duration_seconds_count", "}")]
        {
            let line = format!("databuild_{name}{{{labels}{end}");
            assert!(told.contains(&line), "{line} is not told");
        }
    }
}

#[tokio::test]
async fn what_fits_no_route_counts_together() {
    let (app, _running) = app();
    for path in ["/a", "/b", "/api/v1/wants/w1/x"] {
        ask(&app, "BREW", path, None).await;
    }
    let told = scraped(&app).await;
    let line = "databuild_http_requests_total{method=\"other\",route=\"none\",status=\"404\"} 3\n";
    assert!(told.contains(line), "{told}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_has_one_line_with_its_id_and_what_it_is_about() {
    let (app, _running) = app();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // For all threads: tests that run at the same time would else settle for all of them that nobody wants these lines.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let answer = ask(&app, "GET", "/api/v1/wants/w7", Some("mine")).await;
    assert_eq!(answer.headers()[REQUEST_ID], "mine");
    ask(&app, "GET", "/health", Some("nobody-asks")).await;
    // One whose id cannot be had is refused, and has an id.
    let refused = ask(&app, "GET", "/api/v1/runs/r3/why", Some("a\tb")).await;
    assert_eq!(refused.status(), 422);
    let given = refused.headers()[REQUEST_ID].to_str().unwrap().to_owned();
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let ids = ["id=mine", "id=nobody-asks", &format!("id={given}")];
    let own = |line: &&str| line.contains("answered") && ids.iter().any(|id| line.contains(id));
    let said: Vec<&str> = said.lines().filter(own).collect();
    let expected = [
        ["id=mine", "method=\"GET\"", "route=\"/api/v1/wants/{id}\"", "want=w7", "status=404", "ms="],
        [
            &format!("id={given}"),
            "method=\"GET\"",
            "route=\"/api/v1/runs/{id}/why\"",
            "run=r3",
            "status=422",
            "ms=",
        ],
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (line, parts) in said.iter().zip(expected) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}
