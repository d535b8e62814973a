//! What the API says of itself, held by `docs/openapi.json` and the routes in `docs/api.md`. `UPDATE=1 cargo test -p databuild
//! --test api` writes both anew; read the difference before you commit it.

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use support::golden;

/// Around what this test writes into the page.
const BEGIN: &str = "<!-- Made from docs/openapi.json: UPDATE=1 cargo test -p databuild --test api -->\n";
const END: &str = "<!-- End of what is made -->\n";

#[test]
fn the_description_in_docs_is_what_the_server_says() {
    let said = databuild_server::description();
    golden::check("docs/openapi.json", &format!("{}\n", serde_json::to_string_pretty(&said).unwrap()));
}

#[test]
fn the_page_of_the_api_has_the_routes_of_the_server() {
    let page = golden::read("docs/api.md");
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the routes");
    let (_, after) = rest.split_once(END).expect("that place has an end");
    let routes = Page(databuild_server::description()).routes();
    golden::check("docs/api.md", &format!("{before}{BEGIN}\n{routes}\n{END}{after}"));
}

/// The document, to be read.
struct Page(Value);

impl Page {
    /// All routes, then all that they take and answer.
    fn routes(&self) -> String {
        let mut by_tag: BTreeMap<&str, String> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "delete"] {
                let told = &item[method];
                // The page has a paragraph for paths that are there once more.
                if told.is_null() || text(&told["operationId"]).ends_with("_again") {
                    continue;
                }
                let part = by_tag.entry(text(&told["tags"][0])).or_default();
                self.route(part, &format!("{} {path}", method.to_uppercase()), told, &mut names);
            }
        }
        let mut page = String::from("## Routes\n");
        for tag in self.0["tags"].as_array().unwrap() {
            let name = text(&tag["name"]);
            if let Some(routes) = by_tag.remove(name) {
                let _ = write!(page, "\n### {name}\n{routes}");
            }
        }
        assert!(by_tag.is_empty(), "tags without a place: {by_tag:?}");
        page.push_str("\n## Bodies\n");
        self.with_parts(&mut names);
        for name in names {
            let schema = &self.0["components"]["schemas"][&name];
            let _ = write!(page, "\n### {}\n\n{}\n", shown(&name), one_line(&schema["description"]));
            let fields = self.fields(schema);
            if !fields.is_empty() {
                let _ = write!(page, "\n| field | | |\n| --- | --- | --- |\n{fields}");
            }
        }
        page
    }

    fn route(&self, page: &mut String, route: &str, told: &Value, names: &mut BTreeSet<String>) {
        let _ = write!(page, "\n#### `{route}`\n\n{}", text(&told["summary"]));
        match one_line(&told["description"]) {
            said if said.is_empty() => page.push('\n'),
            said => {
                let _ = writeln!(page, " {said}");
            }
        }
        let parameters = told["parameters"].as_array().into_iter().flatten();
        // The page says once what holds for every GET.
        let parameters = parameters.filter(|parameter| parameter["name"] != "If-None-Match");
        let rows: String = parameters
            .map(|parameter| {
                let kind = match text(&parameter["in"]) {
                    "query" => "",
                    "path" => "in the path",
                    _ => "a header",
                };
                let must = if parameter["required"] == true && kind.is_empty() { "needed" } else { kind };
                row(text(&parameter["name"]), must, &one_line(&parameter["description"]))
            })
            .collect();
        if !rows.is_empty() {
            let _ = write!(page, "\n| parameter | | |\n| --- | --- | --- |\n{rows}");
        }
        let mut said = Vec::new();
        if let Some(body) = told["requestBody"]["content"]["application/json"].get("schema") {
            said.push(format!("Takes {}.", kind(body, names)));
        }
        let mut codes = Vec::new();
        for (status, answer) in told["responses"].as_object().unwrap() {
            let shared = answer["$ref"].as_str().and_then(|place| self.0.pointer(place.strip_prefix('#')?));
            let answer = shared.unwrap_or(answer);
            let description = one_line(&answer["description"]);
            if status == "304" {
                continue;
            }
            if status.starts_with(['4', '5']) {
                // What can happen to all routes stands on the page once.
                if shared.is_none() || !["400", "401", "403", "500", "503", "507"].contains(&status.as_str())
                {
                    codes.push(format!("{status} {description}"));
                }
                continue;
            }
            let media = answer["content"].as_object().into_iter().flatten();
            let bodies: Vec<String> = media
                .map(|(media, content)| match media.as_str() {
                    "application/json" => kind(&content["schema"], names),
                    media => format!("`{media}`"),
                })
                .collect();
            let body = (!bodies.is_empty()).then(|| bodies.join(" or "));
            let what = match (body, description.as_str()) {
                (Some(body), "The answer.") => format!("{status}: {body}"),
                (Some(body), description) => {
                    format!("{status}: {body}. {}", description.trim_end_matches('.'))
                }
                (None, description) => format!("{status}: {}", description.trim_end_matches('.')),
            };
            said.push(format!("{what}."));
        }
        let _ = writeln!(page, "\n{}", said.join(" "));
        if !codes.is_empty() {
            let _ = writeln!(page, "\nErrors: {}.", codes.join("; "));
        }
    }

    /// Adds what is named by what is there already.
    fn with_parts(&self, names: &mut BTreeSet<String>) {
        let mut left: Vec<String> = names.iter().cloned().collect();
        while let Some(name) = left.pop() {
            let mut found = BTreeSet::new();
            named(&self.0["components"]["schemas"][&name], &mut found);
            left.extend(found.into_iter().filter(|name| names.insert(name.clone())));
        }
    }

    /// Rows of the fields of a body.
    fn fields(&self, schema: &Value) -> String {
        if let Some(parts) = schema["allOf"].as_array() {
            return parts.iter().map(|part| self.fields(part)).collect();
        }
        if let Some(cases) = schema["oneOf"].as_array() {
            return cases.iter().map(|case| self.fields(case)).collect();
        }
        if schema["$ref"].is_string() {
            let mut names = BTreeSet::new();
            return format!("| | {} | its fields |\n", kind(schema, &mut names));
        }
        let must = schema["required"].as_array().cloned().unwrap_or_default();
        let fields = schema["properties"].as_object().into_iter().flatten();
        let rows = fields.map(|(name, field)| {
            let mut of = kind(field, &mut BTreeSet::new());
            if !must.iter().any(|must| must == name) {
                of.push_str(", optional");
            }
            let said = match one_line(&field["description"]) {
                said if said.is_empty() => {
                    let either = field["oneOf"].as_array().into_iter().flatten();
                    either
                        .map(|one| one_line(&one["description"]))
                        .find(|said| !said.is_empty())
                        .unwrap_or_default()
                }
                said => said,
            };
            row(name, &of, &said)
        });
        rows.collect()
    }
}

fn row(name: &str, kind: &str, said: &str) -> String {
    format!("| `{name}` | {kind} | {} |\n", said.replace('|', "\\|"))
}

/// What has a schema, in few words.
fn kind(schema: &Value, names: &mut BTreeSet<String>) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|place| place.rsplit('/').next()) {
        names.insert(name.to_owned());
        let shown = shown(name);
        let anchor = shown.to_lowercase().replace(' ', "-");
        return format!("[{shown}](#{anchor})");
    }
    if let Some(either) = schema["oneOf"].as_array() {
        let either: Vec<String> =
            either.iter().map(|one| kind(one, names)).filter(|one| one != "null").collect();
        return either.join(" or ");
    }
    let of = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).find(|kind| *kind != "null").unwrap_or_default(),
        kind => text(kind),
    };
    match of {
        "array" if schema["prefixItems"].is_array() => {
            let items = schema["prefixItems"].as_array().into_iter().flatten();
            format!("pair of {}", items.map(|item| kind(item, names)).collect::<Vec<_>>().join(" and "))
        }
        "array" => format!("list of {}", kind(&schema["items"], names)),
        "string" => match schema["enum"].as_array() {
            Some(words) => {
                let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
                words.collect::<Vec<_>>().join(", ")
            }
            None => "text".to_owned(),
        },
        "integer" => "number".to_owned(),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map to {}", kind(&schema["additionalProperties"], names))
        }
        "" => "JSON".to_owned(),
        other => other.to_owned(),
    }
}

/// The schemas that are named somewhere in one.
fn named(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next())
            {
                names.insert(name.to_owned());
            }
            fields.values().for_each(|field| named(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, names)),
        _ => {}
    }
}

/// `Page_WantRow` is a page of `WantRow`.
fn shown(name: &str) -> String {
    name.strip_prefix("Page_").map_or_else(|| name.to_owned(), |row| format!("Page of {row}"))
}

/// A description as one paragraph; a list of words keeps its lines apart.
fn one_line(value: &Value) -> String {
    let lines = text(value).lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.replacen("- `", "`", 1)).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
