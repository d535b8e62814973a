//! The API's description of itself: an OpenAPI 3.1 document of what stands above the handlers.
//!
//! A handler names the codes of its errors. Their statuses follow from the catalog. What every route takes and answers is said here,
//! once: the token, errors of requests that cannot be read, examples.

use super::examples::Examples;
use crate::api::ErrorBody;
use crate::errors::{find, kind_of, status_of};
use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::OpenApi;
use utoipa::PartialSchema as _;

/// Paths of the first plan for this API, and where the same handlers are.
const SAME: [(&str, &str); 8] = [
    ("/api/health", "/health"),
    ("/api/job_runs", "/api/v1/runs"),
    ("/api/job_runs/{id}", "/api/v1/runs/{id}"),
    ("/api/job_runs/{id}/logs", "/api/v1/runs/{id}/logs"),
    ("/api/job_runs/{id}/logs/{stream}", "/api/v1/runs/{id}/logs/{stream}"),
    ("/api/partitions", "/api/v1/partitions"),
    ("/api/wants", "/api/v1/wants"),
    ("/api/wants/{id}", "/api/v1/wants/{id}"),
];

/// The parts of the API, in the order in which people are told of them.
const TAGS: [&str; 17] = [
    "Server",
    "Tokens",
    "Sign-in",
    "Graphs",
    "Wants",
    "Plans",
    "Schedules",
    "Trials",
    "Datasets and partitions",
    "Checks",
    "Judgements",
    "Keys",
    "Files",
    "Runs",
    "Events",
    "Assistants",
    "Errors",
];

/// Codes that handlers name together.
const GROUPS: [(&str, &[&str]); 6] = [
    ("LIST", &["bad_cursor", "invalid_pagination", "query_too_slow"]),
    (
        "REFERENCE",
        &[
            "after_latest_key",
            "ambiguous_hour",
            "bad_reference",
            "bad_relative_key",
            "bad_time_key",
            "before_first_key",
            "duplicate_dimension",
            "empty_key_space",
            "empty_range",
            "key_out_of_range",
            "moved",
            "moved_dimension",
            "not_an_hour",
            "not_in_calendar",
            "not_yet",
            "range_of_static_keys",
            "relative_key_of_list",
            "retired_key",
            "skipped_day",
            "skipped_hour",
            "too_many_partitions",
            "unknown_dataset",
            "unknown_dimension",
            "unknown_key",
            "unknown_timezone",
            "wrong_offset",
        ],
    ),
    (
        "RELATIVE",
        &[
            "after_latest_key",
            "bad_relative_key",
            "before_first_key",
            "empty_range",
            "not_yet",
            "relative_key_of_list",
        ],
    ),
    ("JOB", &["ambiguous_job", "moved", "unknown_job"]),
    ("WRITE", &["disk_full", "shutting_down", "state_unwritable"]),
    ("WAIT", &["shutting_down", "too_many_waiting"]),
];

/// Codes of all routes that need the token.
const ALWAYS: [&str; 10] = [
    "bad_header",
    "bad_host",
    "bad_origin",
    "internal",
    "log_io_error",
    "outside_of_token",
    "replaying",
    "scope_missing",
    "server_busy",
    "unauthorized",
];
/// Codes of those that do not.
const OPEN: [&str; 2] = ["bad_host", "bad_origin"];
/// Codes of routes that have parameters after the `?`.
const WITH_QUERY: [&str; 1] = ["bad_query"];
/// Codes of routes that have parts of their paths as parameters.
const WITH_PATH: [&str; 1] = ["bad_path"];
/// Codes of routes that take a body.
const WITH_BODY: [&str; 4] = ["bad_json", "body_incomplete", "body_too_large", "invalid_body"];

/// Codes of all that is asked for by POST.
const WITH_KEY: [&str; 3] = ["bad_idempotency_key", "idempotency_key_in_flight", "idempotency_key_reused"];

/// What makes something that is nowhere to be asked for.
const NO_PLACE: &str = "sessions_create";

/// A path as the document has it: that a part may have slashes stands in its description.
pub(super) fn path_of(route: &str) -> String {
    route.replace("{*", "{")
}

/// The whole document.
pub(super) fn complete(said: &OpenApi) -> Value {
    let mut document = json!(said);
    document["info"] = json!({
        "title": "DataBuild",
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "description": "The server of a workspace. `docs/api.md` says what holds for all routes.",
    });
    with_unsigned(&mut document);
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"token": []}]);
    document["tags"] = TAGS.iter().map(|name| json!({"name": name})).collect();
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description": "The token of `.databuild/server.json`."},
    });
    document["components"]["schemas"]["ErrorBody"] = json!(ErrorBody::schema());
    with_rows_by_name(&mut document["components"]["schemas"]);
    with_cases_by_name(&mut document["components"]["schemas"]);
    with_lengths(&mut document);
    let examples = Examples::of(document["components"]["schemas"].clone());
    let paths = taken(&mut document["paths"]).into_iter();
    let mut paths: Map<String, Value> = paths.map(|(path, item)| (path_of(&path), item)).collect();
    for (path, item) in &mut paths {
        let open = super::guard::is_open(path);
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            *operation = told(operation.take(), open, method == "post", &examples);
            if method == "get" && !open && !is_stream(operation) {
                with_tags(operation);
            }
        }
    }
    document["components"]["responses"] = shared(&mut paths);
    for (path, of) in SAME {
        let mut item = paths.get(of).cloned().unwrap_or_default();
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            operation["operationId"] = format!("{}_again", text(&operation["operationId"])).into();
            operation["summary"] = format!("As `{of}`.").into();
        }
        paths.insert(path.to_owned(), item);
    }
    document["paths"] = paths.into();
    document
}

/// Numbers that are never negative may be larger than those that are told by the same format.
fn with_unsigned(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let unsigned = match fields.get("format").and_then(Value::as_str) {
                Some("int64") if fields.contains_key("minimum") => Some("uint64"),
                Some("int32") if fields.contains_key("minimum") => Some("uint32"),
                _ => None,
            };
            if let Some(format) = unsigned {
                fields.insert("format".to_owned(), format.into());
            }
            fields.values_mut().for_each(with_unsigned);
        }
        Value::Array(items) => items.iter_mut().for_each(with_unsigned),
        _ => {}
    }
}

/// Pages name the schemas of their rows.
fn with_rows_by_name(schemas: &mut Value) {
    let mut all = taken(schemas);
    let pages: Vec<String> = all.keys().filter(|name| name.starts_with("Page_")).cloned().collect();
    for page in pages {
        let row = page.trim_start_matches("Page_").to_owned();
        let items = &mut all[&page]["properties"]["data"]["items"];
        let schema = std::mem::replace(items, json!({"$ref": format!("#/components/schemas/{row}")}));
        if !schema["$ref"].is_string() {
            all.entry(row).or_insert(schema);
        }
    }
    *schemas = all.into();
}

/// Bodies that have one of several forms name the schemas of these, and the field that tells which it is. Generators of clients make a
/// type of what has a name, and drop a route whose body has forms without one.
fn with_cases_by_name(schemas: &mut Value) {
    let mut all = taken(schemas);
    let mut named = Map::new();
    for (name, schema) in &mut all {
        let Some(cases) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { continue };
        let Some(tags) = cases.iter().map(case_of).collect::<Option<Vec<_>>>() else { continue };
        let field = tags[0].0.clone();
        let mut mapping = Map::new();
        for (case, (_, word)) in cases.iter_mut().zip(tags) {
            let own = format!("{name}{}{}", word[..1].to_uppercase(), &word[1..]);
            let place = format!("#/components/schemas/{own}");
            named.insert(own, std::mem::replace(case, json!({"$ref": place})));
            mapping.insert(word, place.into());
        }
        schema["discriminator"] = json!({"propertyName": field, "mapping": mapping});
    }
    all.extend(named);
    *schemas = all.into();
}

/// The field, and the word in it, that tell one form from others: the one field of the last part that has only one word.
fn case_of(case: &Value) -> Option<(String, String)> {
    let fields = case["allOf"].as_array()?.last()?["properties"].as_object()?;
    let (field, schema) = fields.iter().next().filter(|_| fields.len() == 1)?;
    match schema["enum"].as_array()?.as_slice() {
        [Value::String(word)] if !word.is_empty() => Some((field.clone(), word.clone())),
        _ => None,
    }
}

/// How long lists of a fixed length are is told by numbers. `"items": false` says the same, and generators that take a schema for an
/// object refuse the whole document for it.
fn with_lengths(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let parts = fields.get("prefixItems").and_then(Value::as_array).map(Vec::len);
            if let (Some(parts), Some(false)) = (parts, fields.get("items").and_then(Value::as_bool)) {
                fields.remove("items");
                fields.insert("minItems".to_owned(), parts.into());
                fields.insert("maxItems".to_owned(), parts.into());
            }
            fields.values_mut().for_each(with_lengths);
        }
        Value::Array(items) => items.iter_mut().for_each(with_lengths),
        _ => {}
    }
}

/// An operation with all that holds for it.
fn told(mut operation: Value, open: bool, is_post: bool, examples: &Examples) -> Value {
    let mut parameters = taken_list(&mut operation["parameters"]);
    parameters.iter_mut().for_each(|parameter| *parameter = parameter_told(parameter.take(), examples));
    let has = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    let mut responses = taken(&mut operation["responses"]);
    let named = responses.remove("default").map(|named| text(&named["description"]).to_owned());
    let mut codes = codes(&named.unwrap_or_default());
    codes.extend(if open { OPEN.as_slice() } else { &ALWAYS });
    codes.extend(WITH_QUERY.iter().filter(|_| has("query")));
    codes.extend(WITH_PATH.iter().filter(|_| has("path")));
    codes.extend(WITH_BODY.iter().filter(|_| !operation["requestBody"].is_null()));
    if is_post {
        codes.extend(WITH_KEY);
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Names the request, so that it can be sent again and is carried out once.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"},
            "example": "import-2026-01-31",
        }));
    }
    for (status, response) in &mut responses {
        if text(&response["description"]).is_empty() {
            response["description"] = "The answer.".into();
        }
        if status == "201" && operation["operationId"] != NO_PLACE {
            response["headers"]["Location"] =
                json!({"description": "Where it is.", "schema": {"type": "string"}});
        }
        if let Some(content) = response.get_mut("content") {
            with_examples(content, examples);
        }
    }
    responses.extend(errors(&codes));
    if let Some(content) = operation.pointer_mut("/requestBody/content") {
        with_examples(content, examples);
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    } else {
        operation.as_object_mut().map(|operation| operation.remove("parameters"));
    }
    operation["responses"] = responses.into();
    if open {
        operation["security"] = json!([]);
    }
    operation
}

/// Whether it answers nothing but streams.
fn is_stream(operation: &Value) -> bool {
    let kinds = operation["responses"]["200"]["content"].as_object();
    kinds.is_some_and(|kinds| kinds.keys().all(|kind| kind == "text/event-stream"))
}

/// What holds for each GET: who has an answer already is told so.
fn with_tags(operation: &mut Value) {
    let known = json!({
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of an answer that the client has.",
        "schema": {"type": "string"},
    });
    let mut parameters = taken_list(&mut operation["parameters"]);
    parameters.push(known);
    operation["parameters"] = parameters.into();
    operation["responses"]["200"]["headers"]["ETag"] =
        json!({"description": "What the answer is recognized by.", "schema": {"type": "string"}});
    operation["responses"]["304"] = json!({"description": "The client has the answer."});
}

/// A parameter as requests can have it: what is left out is not there, and a text after the `?` is never null.
fn parameter_told(mut parameter: Value, examples: &Examples) -> Value {
    let schema = &mut parameter["schema"];
    if let Some(types) = schema["type"].as_array_mut() {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if parameter["name"] == "limit" && parameter["schema"]["maximum"].is_null() {
        parameter["schema"]["minimum"] = 1.into();
        parameter["schema"]["maximum"] = 1000.into();
    }
    let name = text(&parameter["name"]);
    if parameter["example"].is_null() && ["job", "partition", "ref"].contains(&name) {
        parameter["example"] = examples.example(&parameter["schema"], name);
    }
    parameter
}

/// The codes that a handler names.
fn codes(named: &str) -> BTreeSet<&'static str> {
    let known = |code: &str| find(code).map(|entry| entry.code);
    let mut codes = BTreeSet::new();
    for word in named.split(' ').filter(|word| !word.is_empty()) {
        match GROUPS.iter().find(|(group, _)| *group == word) {
            Some((_, group)) => codes.extend(group.iter().copied()),
            None => {
                debug_assert!(known(word).is_some(), "`{word}` is no error code");
                codes.extend(known(word));
            }
        }
    }
    codes
}

/// Answers with errors, by status.
fn errors(codes: &BTreeSet<&'static str>) -> BTreeMap<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in codes {
        if let Some(status) = status_of(kind_of(code)) {
            by_status.entry(status).or_default().push(code);
        }
    }
    let answer = |(status, codes): (u16, Vec<&str>)| {
        let named = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        // What is peculiar to the route tells more than what can happen to all.
        let common = [ALWAYS.as_slice(), &WITH_QUERY, &WITH_PATH, &WITH_BODY].concat();
        let shown = codes.iter().find(|code| !common.contains(code)).unwrap_or(&codes[0]);
        let message = find(shown).map_or("", |entry| entry.cause);
        let mut answer = json!({
            "description": named,
            "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorBody"},
                "example": {"error": shown, "message": message, "status": status},
            }},
        });
        if status == 503 {
            answer["headers"]["Retry-After"] =
                json!({"description": "Seconds after which to ask again.", "schema": {"type": "integer"}});
        }
        (status.to_string(), answer)
    };
    by_status.into_iter().map(answer).collect()
}

/// Takes out answers that several routes give, which then name them: a document without these is three times as large.
fn shared(paths: &mut Map<String, Value>) -> Value {
    let each = |paths: &mut Map<String, Value>, act: &mut dyn FnMut(&str, &mut Value)| {
        let items = paths.values_mut().filter_map(Value::as_object_mut);
        for operation in items.flat_map(Map::values_mut) {
            for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
                if status.starts_with(['4', '5']) {
                    act(status, response);
                }
            }
        }
    };
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    each(paths, &mut |_, response| *found.entry(response.to_string()).or_default() += 1);
    found.retain(|_, times| *times > 1);
    let mut named: BTreeMap<String, (String, Value)> = BTreeMap::new();
    each(paths, &mut |status, response| {
        let text = response.to_string();
        if found.contains_key(&text) {
            let next = format!("error-{status}-{}", named.len() + 1);
            let (name, _) = named.entry(text).or_insert_with(|| (next, response.take()));
            *response = json!({"$ref": format!("#/components/responses/{name}")});
        }
    });
    Value::Object(named.into_values().collect())
}

/// Adds an example to each JSON content.
fn with_examples(content: &mut Value, examples: &Examples) {
    for (kind, media) in content.as_object_mut().into_iter().flatten() {
        if kind == "application/json" {
            media["example"] = examples.example(&media["schema"], "");
        }
    }
}

fn taken(value: &mut Value) -> Map<String, Value> {
    match value.take() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn taken_list(value: &mut Value) -> Vec<Value> {
    match value.take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Each operation with its method and path.
#[cfg(test)]
pub(super) fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of = |(path, item): (&String, _)| {
        let item: &Value = item;
        let named = item.as_object().unwrap().iter();
        named.map(|(method, told)| (format!("{} {path}", method.to_uppercase()), told)).collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fuzz::Server;
    use super::super::routes::description;
    use super::*;

    /// An answer where it stands.
    fn answer<'d>(document: &'d Value, answer: &'d Value) -> &'d Value {
        let place = answer["$ref"].as_str().and_then(|place| document.pointer(place.strip_prefix('#')?));
        place.unwrap_or(answer)
    }

    /// Fields of an example that say nothing.
    fn empty(value: &Value, at: &str) -> Vec<String> {
        match value {
            Value::String(text) if text.is_empty() => vec![at.to_owned()],
            Value::Array(items) => items.iter().flat_map(|item| empty(item, at)).collect(),
            Value::Object(fields) => fields.iter().flat_map(|(name, field)| empty(field, name)).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_route_says_what_it_does_its_errors_and_an_example() {
        let document = description();
        let (mut ids, mut missing) = (BTreeSet::new(), BTreeSet::<String>::new());
        for (route, told) in operations(&document) {
            let summary = text(&told["summary"]);
            assert!(summary.ends_with('.') && !summary.contains('\n'), "{route}: {summary:?}");
            assert!(ids.insert(text(&told["operationId"])), "{route} has the id of another one");
            assert!(TAGS.contains(&text(&told["tags"][0])), "{route}: {}", told["tags"]);
            let answers = told["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{route}");
            assert!(answers.contains_key("403"), "{route}");
            for parameter in told["parameters"].as_array().into_iter().flatten() {
                assert!(!text(&parameter["description"]).is_empty(), "{route}: {}", parameter["name"]);
            }
            for (what, said) in answers
                .iter()
                .map(|(status, said)| (status.as_str(), answer(&document, said)))
                .chain([("body", &told["requestBody"])])
            {
                assert!(said.get("content").is_none_or(Value::is_object), "{route} {what}: {said}");
                if what != "body" {
                    assert!(!text(&said["description"]).is_empty(), "{route} {what}");
                }
                let Some(json) = said["content"].get("application/json") else { continue };
                assert!(!json["example"].is_null(), "{route} {what}");
                missing.extend(empty(&json["example"], ""));
            }
        }
        assert_eq!(missing, BTreeSet::new(), "examples say nothing of these; give them a row of FIELDS");
        assert!(ids.len() > 60, "{}", ids.len());
    }

    /// Parts of the document that generators of clients cannot read.
    fn unreadable(value: &Value, at: &str) -> Vec<String> {
        let below = |(name, value): (String, &Value)| unreadable(value, &format!("{at}/{name}"));
        match value {
            Value::Object(fields) => {
                let parts = fields.get("prefixItems").and_then(Value::as_array).map(Vec::len);
                let length = fields.get("maxItems").and_then(Value::as_u64);
                let cases = fields.get("oneOf").and_then(Value::as_array).into_iter().flatten();
                let is_wrong = fields.get("items").is_some_and(|items| !items.is_object())
                    || parts.is_some_and(|parts| length != Some(parts as u64))
                    || cases.clone().any(|case| case["allOf"].is_array());
                let own = is_wrong.then(|| at.to_owned());
                own.into_iter()
                    .chain(fields.iter().map(|(name, value)| (name.clone(), value)).flat_map(below))
                    .collect()
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).flat_map(below).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn generators_of_clients_can_read_all_of_it() {
        let document = description();
        assert_eq!(unreadable(&document, ""), Vec::<String>::new());
        let trials = &document["components"]["schemas"]["CreateTrial"];
        let told = &trials["discriminator"];
        assert_eq!(told["propertyName"], "kind", "{trials}");
        assert_eq!(told["mapping"]["rerun"], "#/components/schemas/CreateTrialRerun", "{trials}");
        assert!(document["components"]["schemas"]["CreateTrialRerun"].is_object());
        let text = &document["paths"]["/metrics"]["get"]["responses"]["200"]["content"];
        assert!(text["text/plain"].is_object(), "{text}");
    }

    #[test]
    fn examples_are_requests_that_the_server_reads() {
        let document = description();
        let server = Server::start();
        let mut wrong = Vec::new();
        for (route, told) in operations(&document) {
            let (method, path) = route.split_once(' ').unwrap();
            // A stream has no end.
            if path.ends_with("/shutdown") || path.ends_with("/openapi.json") || is_stream(told) {
                continue;
            }
            let mut target = path.to_owned();
            let mut query = Vec::new();
            for parameter in told["parameters"].as_array().into_iter().flatten() {
                let name = text(&parameter["name"]);
                match (text(&parameter["in"]), parameter["example"].as_str()) {
                    ("path", example) => target = target.replace(&format!("{{{name}}}"), example.unwrap()),
                    ("query", Some(example)) => query.push(format!("{name}={example}")),
                    _ => {}
                }
            }
            if !query.is_empty() {
                target = format!("{target}?{}", query.join("&"));
            }
            let body = match &told["requestBody"]["content"]["application/json"]["example"] {
                Value::Null => String::new(),
                example => example.to_string(),
            };
            let answer = server.send(&server.request(method, &target, &body), true);
            let status = answer.split(' ').nth(1).unwrap();
            let unread = ["bad_json", "invalid_body", "bad_query", "bad_path", "bad_reference"];
            let answer = answer.chars().take(2000).collect::<String>();
            let is_read = unread.iter().all(|code| !answer.contains(&format!("\"error\":\"{code}\"")));
            if told["responses"].get(status).is_none() || !is_read {
                wrong.push(format!("{route} {body}: {answer}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    #[test]
    fn null_is_as_good_as_a_field_that_is_left_out() {
        let document = description();
        let server = Server::start();
        let resolved = |schema: &Value| match schema["$ref"].as_str() {
            Some(place) => document.pointer(place.strip_prefix('#').unwrap()).unwrap().clone(),
            None => schema.clone(),
        };
        let (mut tried, mut wrong) = (0, Vec::new());
        for (route, told) in operations(&document) {
            let content = &told["requestBody"]["content"]["application/json"];
            let (method, path) = route.split_once(' ').unwrap();
            let schema = resolved(&content["schema"]);
            let Some(fields) = schema["properties"].as_object() else { continue };
            let needed =
                |name: &String| schema["required"].as_array().into_iter().flatten().any(|one| one == name);
            let mut target = path.to_owned();
            for parameter in told["parameters"].as_array().into_iter().flatten() {
                if let ("path", Some(example)) = (text(&parameter["in"]), parameter["example"].as_str()) {
                    target = target.replace(&format!("{{{}}}", text(&parameter["name"])), example);
                }
            }
            for name in fields.keys().filter(|name| !needed(name)) {
                if path.ends_with("/shutdown") {
                    continue;
                }
                let mut body = content["example"].clone();
                body[name] = Value::Null;
                let answer = server.send(&server.request(method, &target, &body.to_string()), true);
                tried += 1;
                if answer.contains("\"error\":\"invalid_body\"") || answer.contains("\"error\":\"bad_json\"")
                {
                    wrong.push(format!("{route} {name}: {}", answer.chars().take(600).collect::<String>()));
                }
            }
        }
        assert!(tried > 30, "{tried}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
