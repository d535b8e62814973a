//! `runs compare`: what differs between two runs, or between a run and what its job would do now.

use crate::api::{ComparedInput, ComparedOutput, ComparedSide, ComparedText, Comparison, DataSaid};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{blame, exit_code, url};

/// Inputs and outputs that are shown of many.
const SHOWN: usize = 20;
/// Digits of a data version that are shown.
const SHORT: usize = 12;

/// Runs it.
///
/// # Errors
/// No such run, or no run made what a partition holds.
pub fn run(global: &GlobalArgs, client: &Client, a: &str, b: Option<&str>) -> Result<u8, CliError> {
    let mut path = format!("/api/v1/compare?a={}", url::query_value(a));
    if let Some(b) = b {
        path.push_str(&format!("&b={}", url::query_value(b)));
    }
    let found: Comparison = client.get(&path)?;
    if global.json {
        output::json(&found)?;
    } else {
        lines(&found).iter().for_each(|line| output::line(line));
    }
    Ok(exit_code::OK)
}

fn lines(found: &Comparison) -> Vec<String> {
    let mut said = vec![side("a", &found.a), side("b", &found.b)];
    said.push(format!("code: {}", if found.code.same { "the same" } else { "differs" }));
    match &found.code.files {
        Some(files) => said.extend(blame::lines(files, "  ")),
        None if found.code.same => {}
        None => said.push("  which files differ is not known".to_owned()),
    }
    let words = found.arguments.iter().chain(&found.environment);
    let params = found.params.iter().map(|param| format!("  parameter {}", text(param)));
    let differing: Vec<String> = words.map(|word| format!("  {word}")).chain(params).collect();
    let same = if differing.is_empty() { "the same" } else { "differ" };
    said.push(format!("arguments, environment and parameters: {same}"));
    said.extend(differing);
    said.extend(inputs(found));
    let (differ, same) = (found.outputs.len() as u64, found.outputs_same);
    said.push(format!("outputs: {}, {} the same", differ_text(differ), output::number(same)));
    said.extend(found.outputs.iter().take(SHOWN).flat_map(output_lines));
    said.extend(more(differ));
    said
}

fn side(name: &str, side: &ComparedSide) -> String {
    let ComparedSide { run, job, partition, state, at, wall_ms, .. } = side;
    let (run, state) = (run.as_deref().unwrap_or("now"), state.as_deref().unwrap_or("would run"));
    let took = wall_ms.map(|ms| format!(", took {}", output::duration(ms))).unwrap_or_default();
    format!("{name}: {run} {state}  {partition}  {job}, {}{took}", output::time(at))
}

fn differ_text(count: u64) -> String {
    format!("{} {}", output::number(count), if count == 1 { "differs" } else { "differ" })
}

fn more(total: u64) -> Option<String> {
    let more = total.saturating_sub(SHOWN as u64);
    (more > 0).then(|| format!("  and {} more", output::number(more)))
}

fn inputs(found: &Comparison) -> Vec<String> {
    if !found.inputs_known {
        return vec!["inputs: what one of them read is not known any more".to_owned()];
    }
    let (differ, same) = (found.inputs_differ, found.inputs_same);
    let mut said = vec![format!("inputs: {}, {} the same", differ_text(differ), output::number(same))];
    said.extend(found.inputs.iter().take(SHOWN).map(input));
    said.extend(more(differ));
    if found.inputs_left_out > 0 {
        said.push(format!("  {} not looked at", output::number(found.inputs_left_out)));
    }
    said
}

fn input(input: &ComparedInput) -> String {
    let held = |version: &Option<String>| version.as_deref().map_or("nothing".to_owned(), short);
    let said = match input.read_by.as_str() {
        "both" => format!("{} -> {}", held(&input.a), held(&input.b)),
        only => format!("only {only} reads it"),
    };
    format!("  {}: {said}", input.partition)
}

fn output_lines(output: &ComparedOutput) -> Vec<String> {
    let held = |data: &Option<DataSaid>| match data {
        None => "nothing".to_owned(),
        Some(data) if data.empty => "empty".to_owned(),
        Some(data) => format!("{} ({})", short(&data.version), output::bytes(data.bytes)),
    };
    let partition = [&output.a, &output.b].into_iter().flatten().next().map(|data| data.partition.as_str());
    let mut said =
        vec![format!("  {}: {} -> {}", partition.unwrap_or_default(), held(&output.a), held(&output.b))];
    said.extend(output.metadata.iter().map(|of| format!("    {}", text(of))));
    said
}

fn text(of: &ComparedText) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("{}: {} -> {}", of.name, value(&of.a), value(&of.b))
}

fn short(version: &str) -> String {
    version.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_and_what_does_not_is_counted() {
        let side = |run: Option<&str>| {
            json!({
                "run": run, "job": "//:make", "partition": "a", "partitions": 1, "graph": "g", "graph_number": 1,
                "state": run.map(|_| "completed"), "at": "2026-01-02T00:00:00Z", "attempt_count": 1,
                "wall_ms": run.map(|_| 1200), "cpu_ms": null, "max_rss_kb": null,
            })
        };
        let data = |version: &str| json!({"partition": "a", "version": version, "bytes": 3, "empty": false});
        let found = json!({
            "a": side(Some("r1")), "b": side(None),
            "code": {"same": false, "a": "1", "b": "2", "files": null},
            "arguments": ["`--x` was added"], "environment": [],
            "params": [{"name": "full", "a": "yes", "b": null}], "params_same": 0,
            "inputs": [
                {"partition": "raw", "read_by": "both", "a": "0123456789abcdef", "b": null},
                {"partition": "new", "read_by": "b", "a": null, "b": "1"},
            ],
            "inputs_differ": 2, "inputs_same": 7, "inputs_known": true, "inputs_left_out": 0,
            "outputs": [{"a": data("v1"), "b": data("v2"), "metadata": [{"name": "rows", "a": "1", "b": "2"}], "metadata_same": 0}],
            "outputs_same": 0, "seq": 1,
        });
        let said = lines(&serde_json::from_value(found).unwrap());
        let told = [
            "a: r1 completed  a  //:make, 2026-01-02 00:00:00Z, took 1.2 s",
            "b: now would run  a  //:make, 2026-01-02 00:00:00Z",
            "code: differs",
            "  which files differ is not known",
            "arguments, environment and parameters: differ",
            "  `--x` was added",
            "  parameter full: yes -> none",
            "inputs: 2 differ, 7 the same",
            "  raw: 0123456789ab -> nothing",
            "  new: only b reads it",
            "outputs: 1 differs, 0 the same",
            "  a: v1 (3 B) -> v2 (3 B)",
            "    rows: 1 -> 2",
        ];
        assert_eq!(said, told);
    }
}
