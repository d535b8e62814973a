//! Requests as clients send them, to a server that has no runner.

use super::fuzz::{self, Server};
use serde_json::{json, Value};

/// One field of each row.
fn column<'a>(page: &'a Value, field: &str) -> Vec<&'a Value> {
    page["data"].as_array().unwrap().iter().map(|row| &row[field]).collect()
}

#[test]
fn every_list_has_pages_of_1_to_1000_rows() {
    let server = Server::start();
    let lists = [
        "checks",
        "checks/summary",
        "datasets",
        "events",
        "graphs",
        "keys",
        "keys/customers",
        "partitions",
        "partitions?ref=daily",
        "plans",
        "runs",
        "schedules",
        "trials",
        "wants",
    ];
    for list in lists {
        let of = |limit: &str| {
            let more = if list.contains('?') { '&' } else { '?' };
            server.json("GET", &format!("/api/v1/{list}{more}limit={limit}"), "")
        };
        for limit in ["0", "1001", "-1", "", "99999999999999999999"] {
            let (status, error) = of(limit);
            let said = (status, error["error"].as_str(), error["details"]["field"].as_str());
            assert_eq!(said, (422, Some("invalid_pagination"), Some("limit")), "{list} {limit}: {error}");
            assert_eq!(error["status"], 422);
        }
        let (status, page) = of("1000");
        assert_eq!((status, page["data"].is_array()), (200, true), "{list}: {page}");
        assert_eq!(of("x").0, 400, "{list}");
    }
    // A stream has none, though it takes the filters of a list.
    let document = super::description();
    let pages = document["paths"].as_object().unwrap().iter().filter(|(path, item)| {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        let is_list = parameters.into_iter().any(|parameter| parameter["schema"]["maximum"] == 1000);
        is_list && path.starts_with("/api/v1/") && !path.ends_with("/stream")
    });
    for (path, _) in pages {
        let path = path.trim_start_matches("/api/v1/").replace("{space}", "customers");
        assert!(lists.contains(&path.as_str()), "{path} is not tried");
    }
}

#[test]
fn partitions_of_all_datasets_come_page_by_page() {
    let server = Server::start();
    server.json("POST", "/api/v1/keys/customers", r#"{"keys": ["acme", "bolt", "cora"]}"#);
    let whole = |reference: &str| {
        let (_, page) = server.json("GET", &format!("/api/v1/partitions?limit=1000&ref={reference}"), "");
        column(&page, "partition").into_iter().cloned().collect::<Vec<_>>()
    };
    let all = [whole("customer"), whole("daily")].concat();
    assert_eq!(all.len(), 3 + 2 * 366);
    for limit in [1000, 100, 3] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let (status, page) = server.json("GET", &format!("/api/partitions?limit={limit}{cursor}"), "");
            assert_eq!(status, 200, "{page}");
            found.extend(column(&page, "partition").into_iter().cloned());
            match page["next"].as_str() {
                Some(next) if found.len() < 20 || limit > 3 => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        assert_eq!(found, all[..found.len()], "{limit}");
        assert!(limit == 3 || found.len() == all.len(), "{limit}: {}", found.len());
    }
    let (status, error) = server.json("GET", "/api/v1/partitions?cursor=7", "");
    assert_eq!((status, error["error"].as_str()), (422, Some("bad_cursor")));
}

#[test]
fn datasets_are_searched_filtered_and_sorted() {
    let server = Server::start();
    server.json("POST", "/api/v1/keys/customers", r#"{"keys": ["acme"]}"#);
    let of = |query: &str| {
        let (status, page) = server.json("GET", &format!("/api/v1/datasets?{query}"), "");
        assert_eq!(status, 200, "{page}");
        column(&page, "dataset").iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("sort=name"), of(""));
    assert_eq!(of("sort=missing"), ["daily", "customer"]);
    assert_eq!(of("search=cust"), ["customer"]);
    assert_eq!(of("state=stale"), [""; 0]);
    assert_eq!(of("external=true"), [""; 0]);
    assert_eq!(of("sort=total&limit=1&cursor=1"), ["customer"]);
    assert_eq!(server.json("GET", "/api/v1/datasets?sort=color", "").0, 422);
}

#[test]
fn graphs_are_found_by_digest_number_and_as_the_latest() {
    let server = Server::start();
    let (_, page) = server.json("GET", "/api/v1/graphs", "");
    let row = &page["data"][0];
    assert_eq!(
        (page["data"].as_array().unwrap().len(), &row["current"], &row["by"]),
        (1, &json!(true), &json!("owner"))
    );
    let by = |id: &str| server.json("GET", &format!("/api/v1/graphs/{id}"), "");
    let latest = by("latest");
    assert_eq!(latest.0, 200);
    assert_eq!(
        (&latest.1["jobs"], &latest.1["datasets"]),
        (&json!(["//:make", "//:open"]), &json!(["daily", "customer"]))
    );
    assert_eq!(latest.1["number"], row["number"]);
    assert_eq!(
        (by(&row["number"].to_string()), by(&row["id"].as_str().unwrap()[..6])),
        (latest.clone(), latest)
    );
    let (status, error) = by("999");
    assert_eq!(
        (status, &error["graph_id"], &error["details"]["graph_id"]),
        (404, &json!("999"), &json!("999"))
    );
    assert_eq!(server.json("GET", "/api/v1/graphs/latest/file", "").1["label"], "//:graph");
}

#[test]
fn several_wants_are_made_at_once_and_once() {
    let server = Server::start();
    let good =
        json!({"targets": ["daily/city=oslo/date=2024-01-01..2024-01-03"], "comment": null, "class": null});
    let bad = json!({"targets": ["weekly"]});
    let body = json!({"wants": [good, bad]}).to_string();
    let ask = || server.json_with("POST", "/api/v1/wants/batch", "Idempotency-Key: both\r\n", &body);
    let (status, first) = ask();
    assert_eq!((status, &first["made"], &first["ready"]), (200, &json!(1), &json!(3)), "{first}");
    assert_eq!(first["data"][1]["error"]["error"], "unknown_dataset");
    let (_, again) = ask();
    assert_eq!(again["data"][0]["want"]["id"], first["data"][0]["want"]["id"]);
    let (_, page) = server.json("GET", "/api/v1/wants?source=api", "");
    assert_eq!(column(&page, "id").len(), 1);
    let (_, page) = server.json("GET", "/api/v1/wants?source=cli", "");
    assert_eq!(column(&page, "id").len(), 0);
    for (body, code) in [
        (r#"{"wants": []}"#, "invalid_body"),
        (r#"[[]]"#, "invalid_body"),
        (r#"{"wants": [{"targets": ["daily"], "refresh": "some"}]}"#, "bad_refresh"),
    ] {
        let (status, error) = server.json("POST", "/api/v1/wants/batch", body);
        assert_eq!((status, &error["error"]), (422, &json!(code)), "{body}");
    }
}

#[test]
fn what_is_no_id_of_a_run_is_told_apart_from_a_run_that_is_not_there() {
    let server = Server::start();
    let ids =
        ["r0", "12", "w3", "not-a-uuid", "00000000-0000-0000-0000-000000000000", "r99999999999999999999"];
    for id in ids {
        for more in ["", "/why", "/logs", "/logs/stdout"] {
            let (status, error) = server.json("GET", &format!("/api/v1/runs/{id}{more}"), "");
            let said = (status, &error["error"], &error["run_id"], &error["details"]["run_id"]);
            assert_eq!(said, (400, &json!("invalid_run_id"), &json!(id), &json!(id)), "{id}{more}");
        }
    }
    let (status, error) = server.json("GET", "/api/job_runs/r999", "");
    assert_eq!((status, &error["error"], &error["run_id"]), (404, &json!("run_not_found"), &json!("r999")));
}

#[test]
fn a_cancel_can_be_sent_again() {
    let server = Server::start();
    let (_, want) =
        server.json("POST", "/api/v1/wants", r#"{"targets": ["daily/city=oslo/date=2024-01-01"]}"#);
    let path = format!("/api/v1/wants/{}", want["id"].as_str().unwrap());
    assert_eq!(
        (&want["parent"], &want["children"], &want["outputs"]),
        (&Value::Null, &json!([]), &json!([]))
    );
    assert_eq!(want["updated_at"], want["created_at"]);
    for outcome in ["canceled", "already_canceled", "already_canceled"] {
        let (status, answer) = server.json("DELETE", &path, "");
        assert_eq!(
            (status, &answer["outcome"], &answer["state"]),
            (200, &json!(outcome), &json!("canceled"))
        );
    }
    assert_eq!(server.json("DELETE", "/api/v1/wants/w99", "").0, 404);
    assert_eq!(server.json("POST", &format!("{path}/pause"), "").1["error"], "want_ended");
}

#[test]
fn the_parts_of_stats_sum_to_their_totals() {
    let server = Server::start();
    server.json("POST", "/api/v1/wants", r#"{"targets": ["daily/city=oslo/date=2024-01-01"]}"#);
    let (status, stats) = server.json("GET", "/api/v1/stats", "");
    assert_eq!(status, 200);
    for (of, total) in [("runs", 0), ("wants", 1), ("partitions", 732)] {
        let parts = stats[of]["by_state"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!((stats[of]["total"].as_u64(), parts.sum::<u64>()), (Some(total), total), "{of}");
    }
}

#[test]
fn lists_are_sorted_by_what_an_index_or_sets_of_keys_tell() {
    let server = Server::start();
    for day in ["2024-01-01", "2024-01-02", "2024-01-03"] {
        let body = json!({"targets": [format!("daily/city=oslo/date={day}")]}).to_string();
        assert_eq!(server.json("POST", "/api/v1/wants", &body).0, 201);
        assert_eq!(server.json("POST", "/api/v1/plans", &body.replace("oslo", "rome")).0, 201);
    }
    let whole = |path: &str, field: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let (status, page) = server.json("GET", &format!("/api/v1/{path}&limit=2{cursor}"), "");
            assert_eq!(status, 200, "{page}");
            found.extend(column(&page, field).into_iter().map(|value| value.as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    assert_eq!(whole("wants?sort=newest", "id"), ["w3", "w2", "w1"]);
    assert_eq!(whole("wants?sort=oldest", "id"), ["w1", "w2", "w3"]);
    assert_eq!(whole("wants?sort=oldest&source=api&state=open", "id"), ["w1", "w2", "w3"]);
    assert_eq!(whole("wants?source=mcp", "id"), [""; 0]);
    assert_eq!(whole("plans?sort=oldest", "id"), ["p1", "p2", "p3"]);
    assert_eq!(whole("plans?sort=expires", "id"), ["p1", "p2", "p3"]);
    assert_eq!(whole("plans?sort=newest", "id"), ["p3", "p2", "p1"]);
    let by_key = whole("partitions?ref=daily/date=2024-01-03..2024-01-05&sort=key", "partition");
    let by_state = whole("partitions?ref=daily/date=2024-01-03..2024-01-05&sort=state", "partition");
    let (mut one, mut other) = (by_key.clone(), by_state.clone());
    one.sort();
    other.sort();
    assert_eq!((by_key.len(), one), (6, other));
    let states = whole("partitions?ref=daily/date=2024-01-03..2024-01-05&sort=state", "state");
    assert!(states.windows(2).filter(|two| two[0] != two[1]).count() <= 1, "{states:?}");
    for (list, known) in [
        ("wants?sort=state", "`newest` or `oldest`"),
        ("runs?sort=-created_at", "`newest` or `oldest`"),
        ("plans?sort=x", "`newest`, `oldest` or `expires`"),
        ("partitions?sort=x", "`key` or `state`"),
        ("partitions?sort=state", "`key` alone"),
        ("datasets?sort=x", "`name`, `total`"),
    ] {
        let (status, error) = server.json("GET", &format!("/api/v1/{list}"), "");
        assert_eq!((status, &error["error"]), (422, &json!("bad_sort")), "{list}: {error}");
        assert!(error["message"].as_str().unwrap().contains(known), "{list}: {error}");
    }
}

/// Fields of the bodies of requests, with the operation whose body each is of; those of what stands in lists and objects, too.
fn fields_of_bodies(document: &Value) -> Vec<(String, String, Value)> {
    fn walk(document: &Value, schema: &Value, operation: &str, found: &mut Vec<(String, String, Value)>) {
        let named = schema["$ref"].as_str().map(|name| name.trim_start_matches('#'));
        let schema = named.map_or(schema, |pointer| document.pointer(pointer).unwrap());
        for part in ["allOf", "anyOf", "oneOf"] {
            let parts = schema[part].as_array().into_iter().flatten();
            parts.for_each(|part| walk(document, part, operation, found));
        }
        for inner in [&schema["items"], &schema["additionalProperties"]] {
            if inner.is_object() {
                walk(document, inner, operation, found);
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            found.push((operation.to_owned(), name.clone(), field.clone()));
            walk(document, field, operation, found);
        }
    }
    let mut found = Vec::new();
    for (_, item) in document["paths"].as_object().unwrap() {
        for (_, operation) in item.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            walk(document, body, operation["operationId"].as_str().unwrap(), &mut found);
        }
    }
    found
}

#[test]
fn every_text_for_people_in_a_request_is_bounded_and_the_document_says_so() {
    let document = super::description();
    let texts = ["comment", "evidence", "reason"];
    let mut bounded = 0;
    for (operation, name, field) in fields_of_bodies(&document) {
        // What has an end of its own: ids, labels, references, words, contents of files.
        let others = [
            "as_of",
            "code_store",
            "content",
            "cursor",
            "graph",
            "hex",
            "instead_of",
            "job",
            "keep",
            "pool",
            "run",
        ];
        let is_text = field["type"] == "string"
            || field["type"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "string"));
        if texts.contains(&name.as_str()) {
            assert_eq!(field["maxLength"], databuild_base::api::LONGEST_TEXT, "{operation} {name}: {field}");
            bounded += 1;
        } else if is_text
            && field["maxLength"].is_null()
            && field["enum"].is_null()
            && field["const"].is_null()
        {
            assert!(others.contains(&name.as_str()), "{operation} takes `{name}` of any length: {field}");
        }
    }
    assert!(bounded >= 8, "{bounded}");
}

#[test]
fn a_text_that_is_too_long_is_refused_wherever_it_is_given() {
    let server = Server::start();
    let long = "é".repeat(2049);
    let day = json!(["daily/city=oslo/date=2024-01-01"]);
    server.json("POST", "/api/v1/plans", &json!({"targets": day}).to_string());
    let cases = [
        ("wants", json!({"targets": day, "comment": long}), "comment"),
        ("wants/batch", json!({"wants": [{"targets": day, "comment": long}]}), "comment"),
        ("jobs/invoke", json!({"job": "make", "targets": day, "comment": long}), "comment"),
        ("plans/p1/apply", json!({"comment": long}), "comment"),
        ("taint", json!({"targets": day, "reason": long}), "reason"),
        ("untaint", json!({"targets": day, "reason": long}), "reason"),
        ("accept", json!({"targets": day, "reason": long}), "reason"),
        ("accept", json!({"targets": day, "reason": "r", "evidence": long}), "evidence"),
    ];
    for (route, body, field) in cases {
        let (status, error) = server.json("POST", &format!("/api/v1/{route}"), &body.to_string());
        let said = (status, error["error"].as_str(), error["details"]["field"].as_str());
        assert_eq!(said, (422, Some("text_too_long"), Some(field)), "{route}: {error}");
    }
    let (_, wants) = server.json("GET", "/api/v1/wants", "");
    assert_eq!(wants["data"], json!([]), "nothing was made");
    let params = json!({"job": "make", "targets": day, "params": {"full": "x".repeat(4097)}});
    let (status, error) = server.json("POST", "/api/v1/jobs/invoke", &params.to_string());
    assert_eq!((status, &error["error"]), (422, &json!("bad_param")));
    let token = json!({"name": "x".repeat(65), "scopes": ["read"]});
    let (status, error) = server.json("POST", "/api/v1/tokens", &token.to_string());
    assert_eq!((status, &error["error"]), (422, &json!("bad_token_name")));
}

#[test]
fn lists_of_long_rows_have_so_many_bytes_and_lose_none() {
    let server = Server::start();
    let comment = "\u{1}".repeat(4096);
    let want = |at: usize| {
        let target = format!("daily/city=oslo/date=2024-{:02}-{:02}", 1 + at / 28, 1 + at % 28);
        json!({"targets": [target], "comment": comment})
    };
    // JSON writes each of these characters in six.
    for batch in 0..7 {
        let wants: Vec<Value> = (30 * batch..30 * (batch + 1)).map(want).collect();
        let (status, made) = server.json("POST", "/api/v1/wants/batch", &json!({"wants": wants}).to_string());
        assert_eq!(status, 200, "{made}");
    }
    for (list, next) in
        [("wants?", "cursor"), ("events?sort=newest", "before"), ("events?kind=want_created", "after")]
    {
        let (mut ids, mut cursor, mut answers) = (Vec::new(), String::new(), 0);
        loop {
            let (status, page) = server.json("GET", &format!("/api/v1/{list}&limit=1000{cursor}"), "");
            assert_eq!(status, 200, "{page}");
            assert!(page.to_string().len() < (1 << 20) + 1000, "{list}");
            let id =
                |row: &Value| row["about"]["wants"][0].as_str().or(row["id"].as_str()).map(str::to_owned);
            ids.extend(page["data"].as_array().unwrap().iter().filter_map(id));
            answers += 1;
            let Some(at) = page["next"].as_str() else { break };
            cursor = format!("&{next}={at}");
        }
        ids.sort();
        ids.dedup();
        assert!(ids.len() == 210 && answers > 4, "{list}: {} in {answers}", ids.len());
    }
}

#[test]
fn a_filter_by_what_is_not_and_never_was_is_refused_with_what_was_probably_meant() {
    let server = Server::start();
    let cases = [
        ("checks?check=//:enough", "unknown_check", ""),
        ("checks?ref=dayly", "unknown_dataset", "did you mean `daily`?"),
        ("events?dataset=dayly", "unknown_dataset", "did you mean `daily`?"),
        ("events?ref=dayly/city=oslo", "unknown_dataset", "did you mean `daily`?"),
        ("events?ref=daily/city=osla", "unknown_key", "did you mean `oslo`?"),
        ("events?job=mak", "unknown_job", ""),
        ("events?want=w9", "want_not_found", ""),
        ("events?run=r9", "run_not_found", ""),
        ("events?kind=want_creatd", "unknown_word", "want_created"),
        ("runs?job=mak", "unknown_job", ""),
        ("runs?partition=dayly", "unknown_dataset", "did you mean `daily`?"),
        ("runs?partition=daily/city=osla", "unknown_key", "did you mean `oslo`?"),
        ("timeline?job=mak", "unknown_job", ""),
        ("timeline?want=w9", "want_not_found", ""),
        ("partitions?ref=dayly", "unknown_dataset", "did you mean `daily`?"),
        ("standing?ref=dayly", "unknown_dataset", "did you mean `daily`?"),
        ("tiles?ref=dayly", "unknown_dataset", "did you mean `daily`?"),
        ("graph/drawing?around=dayly", "unknown_dataset", "did you mean `daily`?"),
    ];
    for (query, code, instead) in cases {
        let (status, error) = server.json("GET", &format!("/api/v1/{query}"), "");
        assert!(status >= 400 && error["error"] == code, "{query}: {status} {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(instead), "{query}: {message}");
    }
    // What is there, and what was there.
    let other = fuzz::GRAPH.replace("daily", "weekly").replace("oslo", "bergen");
    let registered = server.json("POST", "/api/v1/graphs", &fuzz::deployment(&other));
    assert_eq!(registered.0, 200, "{}", registered.1);
    for query in [
        "events?dataset=weekly",
        "events?dataset=daily",
        "events?ref=daily/city=oslo",
        "events?ref=weekly/city=bergen",
        "runs?partition=daily",
        "runs?partition=weekly/city=rome",
    ] {
        let (status, page) = server.json("GET", &format!("/api/v1/{query}"), "");
        assert_eq!((status, page["data"].is_array()), (200, true), "{query}: {page}");
    }
}

#[test]
fn relative_keys_are_read_once_wherever_partitions_are_named() {
    let server = Server::start();
    let get = |path: &str| server.json("GET", &format!("/api/v1/{path}"), "");
    let post = |path: &str, body: Value| server.json("POST", &format!("/api/v1/{path}"), &body.to_string());
    // The last key is that of the day on which the dataset ends, long ago.
    let (_, page) = get("partitions?ref=daily/city=oslo/date=latest-1..latest");
    let last = ["daily/city=oslo/date=2024-12-30", "daily/city=oslo/date=2024-12-31"];
    assert_eq!(column(&page, "partition"), last);
    let (_, why) = get("why?partition=daily/date=latest-1/city=oslo");
    assert_eq!(why["partition"], last[0]);

    // Wants and plans read it as of their instant, and have exact keys from then on.
    let week = json!({"targets": ["daily/date=latest-6..latest"], "as_of": "2024-03-11T12:00:00Z"});
    let exact = json!(["daily/city=oslo+rome/date=2024-03-04..2024-03-10"]);
    let (status, want) = post("wants", week.clone());
    assert_eq!((status, &want["targets"]), (201, &exact), "{want}");
    let (status, plan) = post("plans", week);
    assert_eq!((status, &plan["targets"]), (201, &exact), "{plan}");
    let (_, want) = get(&format!("wants/{}", want["id"].as_str().unwrap()));
    assert_eq!(want["targets"], exact);
    let (_, events) = get("events?kind=want_created");
    let created = &events["data"][0];
    assert_eq!(created["data"]["targets"], exact, "{events}");
    assert_eq!(created["data"]["written"], json!(["daily/date=latest-6..latest"]), "{events}");
    let text = created["text"].as_str().unwrap();
    assert!(text.ends_with("2024-03-10, asked for as daily/date=latest-6..latest"), "{text}");

    // Who looks for runs and events means the keys of now.
    let (status, _) = post("wants", json!({"targets": ["daily/date=latest"]}));
    assert_eq!(status, 201);
    for (reference, wants) in [("daily/date=latest", 1), ("daily/date=latest-1", 0), ("daily", 2)] {
        let (_, events) = get(&format!("events?kind=want_created&ref={reference}"));
        assert_eq!(events["data"].as_array().unwrap().len(), wants, "{reference}: {events}");
    }
    assert_eq!(get("runs?partition=daily/date=latest").0, 200);

    for (named, code) in [
        ("daily/date=latest%2B1", "after_latest_key"),
        ("daily/date=latest-x", "bad_relative_key"),
        ("daily/date=latest-366", "before_first_key"),
        ("daily/city=latest", "relative_key_of_list"),
        ("customer/customer=latest-6..latest", "relative_key_of_list"),
    ] {
        let reads = [
            "partitions?ref=",
            "standing?ref=",
            "tiles?ref=",
            "why?partition=",
            "checks?ref=",
            "runs?partition=",
            "events?ref=",
        ];
        for read in reads {
            let (status, error) = get(&format!("{read}{named}"));
            assert_eq!((status, &error["error"]), (422, &json!(code)), "{read}{named}: {error}");
        }
        let targets = json!([named.replace("%2B", "+")]);
        for write in
            ["wants", "plans", "taint", "untaint", "accept", "adopt", "scan", "trials", "jobs/invoke"]
        {
            let mut body = json!({"targets": targets});
            match write {
                "taint" | "accept" => body["reason"] = json!("it is wrong"),
                "jobs/invoke" => body["job"] = json!("//:make"),
                "trials" => body["kind"] = json!("verify"),
                _ => {}
            }
            let (status, error) = post(write, body);
            assert_eq!((status, &error["error"]), (422, &json!(code)), "{write} {named}: {error}");
        }
    }
}

#[test]
fn the_list_of_plans_says_of_each_what_the_plan_says_itself() {
    let server = Server::start();
    let day = |day: u32| format!(r#"{{"targets": ["daily/city=oslo/date=2024-01-0{day}"]}}"#);
    let plan = |body: &str| {
        let (status, plan) = server.json("POST", "/api/v1/plans", body);
        assert_eq!(status, 201, "{plan}");
        plan["id"].as_str().unwrap().to_owned()
    };
    let (moved, held) = (plan(&day(1)), plan(&day(2)));
    assert_eq!(server.json("POST", "/api/v1/wants", &day(1)).0, 201);
    let listed = server.json("GET", "/api/v1/plans", "").1;
    assert_eq!(column(&listed, "id"), [held.as_str(), moved.as_str()]);
    assert_eq!(column(&listed, "state"), ["open", "outdated"]);
    for (id, state) in [(held, "open"), (moved, "outdated")] {
        let told = server.json("GET", &format!("/api/v1/plans/{id}"), "").1;
        assert_eq!(told["state"], state);
        assert_eq!(told["changes"].is_null(), state == "open", "{told}");
    }
}

#[test]
fn who_asks_again_what_goes_on_is_told_that_nothing_has_changed() {
    let server = Server::start();
    let asked = |headers: &str| {
        let request = Server::request_as(server.token(), "GET", "/api/v1/now", headers, "");
        server.send(&request, true)
    };
    let tag = |answer: &str| {
        let line = answer.lines().find(|line| line.starts_with("etag: ")).unwrap();
        line.trim_start_matches("etag: ").to_owned()
    };
    // Failures are those of the last 24 hours, by the minute: the minute may end meanwhile.
    let is_known = |_: usize| {
        let known = tag(&asked(""));
        asked(&format!("If-None-Match: {known}\r\n")).starts_with("HTTP/1.1 304")
    };
    assert!((0..3).any(is_known));
}

#[test]
fn what_gc_removes_is_an_event_and_what_it_leaves_is_none() {
    let server = Server::start();
    let kinds = || {
        let page = server.json("GET", "/api/v1/events?kind=garbage_collected", "").1;
        page["data"].as_array().unwrap().clone()
    };
    for (body, events) in [
        ("{}", 0),
        (r#"{"events_older_than_seconds": 0, "dry_run": true}"#, 0),
        (r#"{"events_older_than_seconds": 0}"#, 0),
    ] {
        let (status, told) = server.json("POST", "/api/v1/gc", body);
        assert_eq!((status, kinds().len()), (200, events), "{body}: {told}");
    }
    // The newest event never goes, so there has to be another one.
    server.json("POST", "/api/v1/keys/customers", r#"{"keys": ["acme"]}"#);
    let archived = server.json("POST", "/api/v1/gc", r#"{"events_older_than_seconds": 0}"#).1;
    assert_eq!(archived["archived"]["last"], 1, "{archived}");
    let found = kinds();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["data"]["archived_until"], 1, "{found:?}");
    assert!(found[0]["text"].as_str().unwrap().contains("cleaned up: events up to 1"), "{found:?}");
    server.json("POST", "/api/v1/gc", "{}");
    assert_eq!(kinds().len(), 1);
}
