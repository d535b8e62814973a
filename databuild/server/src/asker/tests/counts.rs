//! What a token for some datasets is told is the same however much there is of others.

use super::*;
use std::collections::BTreeMap;

/// Two regions, of which the other has so many shops: `eu_sales` is made from all of them, `us_end` is made for each from `eu_sales`, and
/// `eu_late` waits for files of each that are not there.
fn graph(shops: usize) -> String {
    let days = json!({"kind": "time", "granularity": "day", "start": "2024-01-01", "end": "2024-01-03", "timezone": "UTC"});
    let shops: Vec<String> = (0..shops).map(|n| format!("s{}", (b'a' + n as u8) as char)).collect();
    let shops = json!({"kind": "static", "keys": shops});
    let dataset = |name: &str, external: bool, by_shop: bool| {
        let mut dims = vec![json!({"name": "day", "keys": days})];
        let mut path = format!("out/{name}/{{day}}");
        if by_shop {
            dims.push(json!({"name": "shop", "keys": shops}));
            path.push_str("/{shop}");
        }
        json!({"name": name, "label": format!("//d:{name}"), "external": external, "dims": dims, "path": path})
    };
    let input = |name: &str, by_shop: Option<&str>| {
        let mut dims = vec![json!({"dim": "day", "rule": {"kind": "same", "of": "day"}})];
        match by_shop {
            Some("same") => dims.push(json!({"dim": "shop", "rule": {"kind": "same", "of": "shop"}})),
            Some(_) => dims.push(json!({"dim": "shop", "rule": {"kind": "all"}})),
            None => {}
        }
        json!({"name": name, "dataset": name, "dims": dims, "before_start": "fail", "after_end": "fail"})
    };
    let job = |label: &str, output: &str, inputs: &[Value]| {
        json!({
            "label": label, "outputs": [output], "retries": 0, "backoff_ms": 1, "backoff_max_ms": 1,
            "inputs": inputs, "on_code_change": "stale", "sources": "s",
            "program": {"executable": "_main/make", "args": ["{day}"], "env": {}, "env_inherit": [],
                        "timeout_ms": null, "grace_ms": 1, "manifest": "m", "code": "c"},
        })
    };
    json!({
        "format": 2, "label": "//:graph",
        "datasets": [
            dataset("us_files", true, true), dataset("us_raw", false, true), dataset("eu_in", false, false),
            dataset("eu_sales", false, false), dataset("us_end", false, true), dataset("eu_late", false, false),
        ],
        "jobs": [
            job("//us:load", "us_raw", &[]),
            job("//eu:read", "eu_in", &[]),
            job("//eu:sum", "eu_sales", &[input("us_raw", Some("all")), input("eu_in", None)]),
            job("//us:end", "us_end", &[input("eu_sales", None), input("us_raw", Some("same"))]),
            job("//eu:late", "eu_late", &[input("us_files", Some("all"))]),
        ],
    })
    .to_string()
}

/// An answer without what is of the moment, or of one server alone: numbers of events, times, ids and digests.
fn lasting(value: Value) -> Value {
    const OF_THE_MOMENT: [&str; 11] = [
        "seq",
        // Threads that read come to rest a moment after they have answered.
        "in_use",
        "first_seq",
        "last_seq",
        "next",
        "wall_ms",
        "pid",
        "resident",
        "workspace",
        "code_store",
        "runtime_dir",
    ];
    match value {
        Value::Object(fields) => {
            let is_request = fields.contains_key("client");
            let of_the_moment = |name: &str| OF_THE_MOMENT.contains(&name) || is_request && name == "id";
            let kept = fields.into_iter().filter(|(name, _)| !of_the_moment(name));
            Value::Object(kept.map(|(name, value)| (name, lasting(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(lasting).collect()),
        // An assistant is told JSON as a text.
        Value::String(text) => match serde_json::from_str::<Value>(&text) {
            Ok(said) if said.is_object() => lasting(said),
            _ => json!(same_words(&text)),
        },
        other => other,
    }
}

/// A text without times such as `2026-01-31 08:00:00Z`.
fn without_times(text: &str) -> String {
    let is_time = |part: &str| {
        part.bytes()
            .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte })
            .eq("0000-00-00 00:00:00".bytes())
    };
    let mut text = text.to_owned();
    while let Some(at) = (0..text.len()).find(|at| text.get(*at..at + 19).is_some_and(is_time)) {
        text.replace_range(at..at + 19, "TIME");
    }
    text
}

fn same_words(text: &str) -> String {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return "TIME".to_owned();
    }
    let word = |word: &str| {
        let is_id = word.len() > 1
            && word.starts_with(['w', 'r', 'p', 't'])
            && word[1..].bytes().all(|byte| byte.is_ascii_digit());
        let is_digest = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (is_id, is_digest) {
            (true, _) => format!("{}#", &word[..1]),
            (_, true) => "DIGEST".to_owned(),
            _ => word.to_owned(),
        }
    };
    let text = without_times(text);
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|part| {
            let bare = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            format!("{}{}", word(bare), &part[bare.len()..])
        })
        .collect()
}

/// Everything that a token for one region is told, by what it asks for.
fn told(regions: &Regions) -> BTreeMap<String, (u16, Value)> {
    let mut told = BTreeMap::new();
    let mut ask = |method: &str, name: String, target: &str, body: &str| {
        let (status, body) = regions.ask(method, target, body);
        let said = body.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&body);
        // What an assistant is told stands as text in its answer.
        let said = serde_json::from_str(said).unwrap_or_else(|_| json!(said));
        told.insert(format!("{method} {name}"), (status, lasting(said)));
    };
    let document = description();
    let of = |letter: char| regions.own.iter().filter(move |id| id.starts_with(letter));
    for (route, operation) in operations(&document) {
        let Some(path) = route.strip_prefix("GET ") else { continue };
        if path.ends_with("/stream") || ["/metrics", "/api/v1/openapi.json"].contains(&path) {
            continue;
        }
        let nouns = [("wants", 'w'), ("runs", 'r'), ("job_runs", 'r'), ("plans", 'p'), ("trials", 't')];
        if let Some((_, letter)) = nouns.iter().find(|(noun, _)| path.contains(&format!("/{noun}/"))) {
            for (number, id) in of(*letter).enumerate() {
                let target = path.replace("{id}", id).replace("{stream}", "stdout");
                ask("GET", format!("{path} {number}"), &target, "");
            }
            continue;
        }
        if path.contains("{seq}") || path.contains("{code}") || path.contains("{space}") {
            continue;
        }
        let target = path.replace("{id}", "latest").replace("{name}", "eu_sales");
        let names = operation["parameters"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(|parameter| parameter["name"].as_str()).collect();
        ask("GET", target.clone(), &target, "");
        for (name, values) in [
            ("ref", vec!["eu_sales", "eu_late"]),
            (
                "partition",
                vec!["eu_sales/day=2024-01-01", "eu_sales/day=2024-01-03", "eu_late/day=2024-01-01"],
            ),
            ("dataset", vec!["eu_sales"]),
            ("job", vec!["//eu:sum"]),
            ("around", vec!["eu_sales"]),
            ("after", vec!["0"]),
        ] {
            for value in values.into_iter().filter(|_| names.contains(&name)) {
                let target = format!("{target}?{name}={value}");
                ask("GET", target.clone(), &target, "");
            }
        }
        for id in of('w').filter(|_| names.contains(&"want")) {
            ask("GET", format!("{target}?want"), &format!("{target}?want={id}"), "");
        }
    }
    let mut posts = vec![
        ("plans", json!({"targets": ["eu_sales"], "save": false})),
        ("plans", json!({"targets": ["eu_sales", "eu_late"], "refresh": "all", "save": false})),
        ("adopt", json!({"targets": ["eu_sales"], "dry_run": true})),
        ("taint", json!({"targets": ["eu_in"], "reason": "bad"})),
        ("untaint", json!({"targets": ["eu_in"], "reason": "good"})),
        ("taint", json!({"targets": ["eu_in"], "reason": "bad after all"})),
        ("scan", json!({"targets": ["eu_sales"]})),
    ];
    // Work that begins is told as it is at the moment.
    if !regions.server.has_runner() {
        posts.extend([
            ("wants", json!({"targets": ["eu_late"]})),
            ("wants/batch", json!({"wants": [{"targets": ["eu_sales"]}, {"targets": ["eu_late"]}]})),
            ("wants", json!({"targets": ["eu_sales/day=2024-01-02"], "refresh": "all"})),
        ]);
    }
    for (path, body) in posts {
        let target = format!("/api/v1/{path}");
        ask("POST", format!("{target} {body}"), &target, &body.to_string());
    }
    for (tool, args) in [
        ("datasets", json!({})),
        ("partitions", json!({"ref": "eu_sales"})),
        ("why", json!({"of": "eu_sales/day=2024-01-01"})),
        ("plan", json!({"targets": ["eu_sales"]})),
        ("wants", json!({})),
        ("runs", json!({})),
    ] {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": args}});
        ask("POST", format!("/mcp {tool}"), "/mcp", &message.to_string());
    }
    told
}

/// Every page that a token for one region is shown, by place in the list.
fn shown(regions: &Regions) -> BTreeMap<String, (u16, Value)> {
    let folder = regions.server.folder().display().to_string();
    let ask = |(number, (target, _)): (usize, (String, u16))| {
        let (status, body) = regions.ask("GET", &target, "");
        // The graphs differ, and series have no order.
        let mut body = body.replace(&folder, "FOLDER");
        let drawn = |body: &str| {
            body.find("<svg").zip(body.find("</svg>")).filter(|_| target.starts_with("/timeline"))
        };
        while let Some((begin, end)) = drawn(&body) {
            body.replace_range(begin..end + "</svg>".len(), "");
        }
        if target == "/metrics" {
            let mut lines: Vec<&str> = body.lines().collect();
            lines.sort_unstable();
            body = lines.join("\n");
        }
        // Their answers are held against each other by themselves; as pages, they have places of events and times everywhere.
        let is_of_the_moment =
            ["/events", "/server", "/timeline"].iter().any(|page| target.starts_with(page));
        // Neither do lines over time end at the same place, nor are bars of waiting as long.
        let over_time = match target.split('/').nth(1) {
            Some("wants") => "path ",
            Some("runs") => "rect class=\"w-",
            _ => "time ",
        };
        let others = ["time ", "body ", "a class=\"where m\"", over_time];
        let parts = body.split('<').filter(|part| !others.iter().any(|other| part.starts_with(other)));
        let parts = parts.map(|part| match is_of_the_moment {
            true => without_lengths(&same_words(part)).replace(|c: char| c.is_ascii_digit() || c == '.', ""),
            false => without_lengths(&same_words(part)),
        });
        let path = target.split('?').next().unwrap_or_default();
        (format!("{number} {}", same_words(path)), (status, json!(parts.collect::<Vec<String>>())))
    };
    pages(&regions.own).into_iter().enumerate().map(ask).collect()
}

/// A text without how long something took.
fn without_lengths(text: &str) -> String {
    let units = ["ms", "s", "min", "h", "d"];
    let mut words: Vec<&str> = text.split(' ').collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        if units.contains(&unit) && words[at - 1].ends_with(|c: char| c.is_ascii_digit()) {
            words[at - 1] = "LENGTH";
        }
    }
    words.join(" ")
}

/// What differs between two answers, by place.
fn differences(at: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().for_each(|(name, value)| differences(&format!("{at}.{name}"), value, &b[name], found));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter()
                .zip(b)
                .enumerate()
                .for_each(|(n, (a, b))| differences(&format!("{at}.{n}"), a, b, found));
        }
        _ if one == other => {}
        _ => found.push(format!("{at}: {one} or {other}")),
    }
}

/// Asks the same of two servers, of which the other region of one has more, and holds the answers against each other.
fn compare(start: fn(&str, usize) -> Server) {
    let [few, many] = [3, 5].map(|shops| {
        let day = |dataset: &str| json!({"targets": [format!("{dataset}/day=2024-01-01")]});
        let wants = ["us_raw", "eu_in", "eu_sales", "us_end"].map(day);
        let plans = [json!({"targets": ["us_end"]}), json!({"targets": ["eu_sales"], "refresh": "all"})];
        let regions = Regions::with(start(&graph(shops), shops), &wants, &plans);
        let mut all = shown(&regions);
        all.extend(told(&regions));
        all
    });
    let mut found = Vec::new();
    assert!(few.keys().eq(many.keys()), "{few:#?} {many:#?}");
    for (asked, (status, said)) in &few {
        assert_ne!(*status, 500, "{asked}: {said}");
        let (one, other) = (json!([status, said]), json!([many[asked].0, many[asked].1]));
        differences(&format!("{asked} {status}"), &one, &other, &mut found);
    }
    let answered = few.values().filter(|(status, _)| *status < 300).count();
    assert!(found.is_empty(), "{}\n{answered} answers", found.join("\n"));
    assert!(answered > 90, "{answered}");
}

#[test]
fn what_waits_of_others_is_not_counted_to_a_token() {
    compare(|graph, _| Server::waiting(graph));
}

#[test]
fn what_failed_of_others_is_not_counted_to_a_token() {
    compare(|graph, _| Server::running(graph));
}

#[test]
fn what_is_there_of_others_and_what_changed_is_not_counted_to_a_token() {
    compare(|graph, shops| {
        let server = Server::waiting(graph);
        let write = |dataset: &str, day: &str, by_shop: bool, text: &str| {
            let names =
                (0..if by_shop { shops } else { 1 }).map(|n| format!("s{}", (b'a' + n as u8) as char));
            for name in names {
                let place = format!("ws/out/{dataset}/{day}");
                let place = if by_shop { format!("{place}/{name}") } else { place };
                let place = server.folder().join(place);
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                std::fs::write(place, text).unwrap();
            }
        };
        let datasets =
            [("us_raw", true), ("eu_in", false), ("eu_sales", false), ("us_end", true), ("eu_late", false)];
        for (dataset, by_shop) in datasets {
            for day in ["2024-01-01", "2024-01-02", "2024-01-03"] {
                write("us_files", day, true, "1");
                write(dataset, day, by_shop, "1");
            }
            let (status, said) =
                server.json("POST", "/api/v1/adopt", &json!({"targets": [dataset]}).to_string());
            assert_eq!(status, 200, "{said}");
        }
        for (dataset, day) in [("us_raw", "2024-01-01"), ("us_files", "2024-01-02"), ("us_end", "2024-01-03")]
        {
            write(dataset, day, true, "22");
        }
        assert_eq!(server.json("POST", "/api/v1/scan", "{}").0, 200);
        let bad = json!({"targets": ["us_raw/day=2024-01-03"], "reason": "zeros"});
        assert_eq!(server.json("POST", "/api/v1/taint", &bad.to_string()).0, 200);
        server
    });
}
