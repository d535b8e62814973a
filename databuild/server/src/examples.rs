//! Examples of what requests and answers say, made from their schemas, so that none has another form than what it shows.

use serde_json::{json, Map, Value};

/// What fields of a name say, in an imaginary workspace.
const FIELDS: &[(&str, &str)] = &[
    ("acquired_at", AT),
    ("adopted", "adopted"),
    ("after", "2024-02-01"),
    ("archive", "events-1-1000.sqlite"),
    ("args", "0f3c"),
    ("arguments", "`--x=1` -> `--x=2`"),
    ("argv", "bin/make"),
    ("as_of", AT),
    ("at", AT),
    ("attempt", "r12-1"),
    ("base", DIGEST),
    ("bazel", "8.2.1"),
    ("before", "2023-12-31"),
    ("being_made", PARTITION),
    ("built_at", AT),
    ("by", "ada"),
    ("cause", "The want does not exist."),
    ("causes", "r12 failed: exit code 1"),
    ("change", "changed"),
    ("changed", PARTITION),
    ("changes", "daily/date=2024-02-01 was built"),
    ("changed_inputs", PARTITION),
    ("check", "//lib:not_empty"),
    ("children", "w4"),
    ("class", "interactive"),
    ("client", "cli"),
    ("ends_at", AT),
    ("code", "want_not_found"),
    ("code_store", "/srv/ada/.cache/databuild"),
    ("comment", "for the report of Monday"),
    ("content", "{}"),
    ("contents", "executable\tlib/job.py"),
    ("created_at", AT),
    ("cure", "Look at the list of wants."),
    ("current_attempt", "r12-1"),
    ("cursor", "w3"),
    ("cwd", "/srv/ada/weather"),
    ("dataset", "daily"),
    ("datasets", "daily"),
    ("details", "w3"),
    ("digests", DIGEST),
    ("dimensions", "daily/city"),
    ("dims", "city"),
    ("due_at", AT),
    ("ended_at", AT),
    ("env", "/srv/ada"),
    ("env_inherit", DIGEST),
    ("environment", "the inherited variable `HOME` has another value"),
    ("error", "want_not_found"),
    ("missed", "all"),
    ("next_due", AT),
    ("next_tick", AT),
    ("paused_at", AT),
    ("schedule", "//:nightly"),
    ("tick", AT),
    ("ticks", AT),
    ("time_zone", "Europe/Zurich"),
    ("want_class", "interactive"),
    ("when", "cron \"0 6 * * *\" in Europe/Zurich"),
    ("evidence", "t3"),
    ("expires_at", AT),
    ("failed_since", "r13"),
    ("file", "events-1-1000.sqlite"),
    ("first", "2024-01-01"),
    ("from", "leased"),
    ("granularity", "day"),
    ("graph", DIGEST),
    ("graph_id", DIGEST),
    ("head", DIGEST),
    ("hex", "ff00"),
    ("id", "w3"),
    ("inherited", "/srv/ada"),
    ("instead_of", DIGEST),
    ("job", "//:make"),
    ("jobs", "//:make"),
    ("keep", "/srv/ada/then"),
    ("key", "acme"),
    ("keys", "acme"),
    ("kind", "running"),
    ("label", "//:make"),
    ("last", "2024-12-31"),
    ("leased_at", AT),
    ("older", "r12"),
    ("lengths", "day"),
    ("mapping", "same city, 7 days"),
    ("meaning", "attempts that may run at once"),
    ("memory_limits", "enforced"),
    ("memory_limits_reason", "by control groups"),
    ("message", "r12 (daily/city=oslo/date=2024-01-01, 5 s)"),
    ("name", "db"),
    ("next", "w2"),
    ("not_removed", "r12-1: permission denied"),
    ("now", DIGEST),
    ("outcome", "success"),
    ("output", "24 rows"),
    ("outputs", PARTITION),
    ("owner", "//lib:weather"),
    ("params", "true"),
    ("parent", "r11"),
    ("partition", PARTITION),
    ("partitions", PARTITION),
    ("path", "out/oslo/2024-01-01"),
    ("phase", "running"),
    ("plan", "p7"),
    ("plan_id", "p7"),
    ("plans", "p7"),
    ("pool", "db"),
    ("published", "out/oslo/2024-01-01"),
    ("ready_at", AT),
    ("read_by", "both"),
    ("reason", "code_changed"),
    ("ref", PARTITION),
    ("refresh", "stale"),
    ("registered_at", AT),
    ("revoked_at", AT),
    ("run", "r12"),
    ("run_id", "r12"),
    ("run_job", "//:make"),
    ("runs", "r12"),
    ("runtime_dir", "/run/user/1000/databuild"),
    ("scheduled_at", AT),
    ("scopes", "read"),
    ("since", AT),
    ("source", "cli"),
    ("sources", DIGEST),
    ("space", "customers"),
    ("started_at", AT),
    ("state_dir", "/srv/ada/weather/.databuild"),
    ("state", "open"),
    ("stream", "stdout"),
    ("summary", "It is current."),
    ("takes", "db"),
    ("targets", PARTITION),
    ("temporary_dir", "/tmp"),
    ("text", "42 rows"),
    ("then", DIGEST),
    ("timezone", "UTC"),
    ("to", "running"),
    ("token", DIGEST),
    ("too_small_for", "//:make"),
    ("trial", "t3"),
    ("trial_id", "t3"),
    ("trials", "t3"),
    ("unknown_jobs", "//:make"),
    ("until", AT),
    ("used_at", AT),
    ("value", "4"),
    ("variables", "DATABASE_URL"),
    ("want", "w3"),
    ("updated_at", AT),
    ("verdict", "equal"),
    ("version", DIGEST),
    ("via", "//:make"),
    ("want_id", "w3"),
    ("wants", "w3"),
    ("what", "built"),
    ("which", "now"),
    ("workspace", "/srv/ada/weather"),
    ("x", "date"),
    ("y", "city"),
];
const AT: &str = "2026-01-31T08:00:00Z";
const DIGEST: &str = "5f2a4d1c9b8e7f60112233445566778899aabbccddeeff00112233445566778f";
const PARTITION: &str = "daily/city=oslo/date=2024-01-01";

/// The schemas that others name.
pub(super) struct Examples(Value);

impl Examples {
    /// With these schemas.
    pub(super) fn of(schemas: Value) -> Examples {
        Examples(schemas)
    }

    /// What has a schema; `field` is what it is called where it stands.
    pub(super) fn example(&self, schema: &Value, field: &str) -> Value {
        self.below(schema, field, &mut Vec::new())
    }

    /// `above` are the names of the schemas that it is in: what would have no end is null.
    fn below<'s>(&'s self, schema: &'s Value, field: &str, above: &mut Vec<&'s str>) -> Value {
        if let Some(shown) =
            [&schema["example"], &schema["examples"][0], &schema["const"], &schema["enum"][0]]
                .into_iter()
                .find(|shown| !shown.is_null())
        {
            return shown.clone();
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|place| place.rsplit('/').next()) {
            if above.contains(&name) {
                return Value::Null;
            }
            above.push(name);
            let shown = self.below(&self.0[name], field, above);
            above.pop();
            return shown;
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().map(|part| self.below(part, field, above));
            let merged = parts.filter_map(|part| part.as_object().cloned()).flatten().collect::<Map<_, _>>();
            return merged.into();
        }
        let either = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
        if let Some(one) = either.and_then(|either| either.iter().find(|one| one["type"] != "null")) {
            return self.below(one, field, above);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
            kind => kind.as_str(),
        };
        match kind {
            Some("object") => self.object(schema, field, above),
            Some("array") if schema["prefixItems"].is_array() => {
                let items = schema["prefixItems"].as_array().into_iter().flatten();
                items.map(|item| self.below(item, field, above)).collect()
            }
            Some("array") => json!([self.below(&schema["items"], field, above)]),
            Some("string") => of_field(field).into(),
            Some("integer" | "number") => {
                schema.get("minimum").filter(|least| **least != 0).cloned().unwrap_or(1.into())
            }
            Some("boolean") => false.into(),
            _ => json!({}),
        }
    }

    fn object<'s>(&'s self, schema: &'s Value, field: &str, above: &mut Vec<&'s str>) -> Value {
        let fields = schema["properties"].as_object().into_iter().flatten();
        let mut shown: Map<String, Value> =
            fields.map(|(name, schema)| (name.clone(), self.below(schema, name, above))).collect();
        if schema["additionalProperties"].is_object() {
            let value = if field.is_empty() { "sources" } else { field };
            let value = self.below(&schema["additionalProperties"], value, above);
            shown.insert(key_of(field).to_owned(), value);
        }
        shown.into()
    }
}

/// What a field says.
fn of_field(field: &str) -> &'static str {
    FIELDS.iter().find(|(name, _)| *name == field).map_or("", |(_, says)| says)
}

/// A key of a map that is called so.
fn key_of(field: &str) -> &'static str {
    match field {
        "params" => "full",
        "inherited" | "env" | "env_inherit" => "HOME",
        "details" => "want_id",
        _ => "//:make",
    }
}
