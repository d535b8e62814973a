//! `why`: the reason for a partition's state, or what a want or a run waits for.

use crate::api::{InputUsed, Why, WhyCause, WhyWork};
use crate::cli::blame;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use crate::cli::{exit_code, output};
use clap::Args;
use databuild_core::ids::{PlanId, RunId, TrialId, WantId};
use databuild_core::text::{and_more_aside, first_of};
use serde_json::{Map, Value};

/// Inputs shown, and facts that a job reported.
const SHOWN: usize = 10;
/// Characters shown of such a fact.
const MOST_OF_FACT: usize = 100;

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Reference of one partition; or a want or a run, such as w3 or r12
    #[arg(value_name = "REF|ID")]
    pub what: String,
}

/// Runs it.
///
/// # Errors
/// The reference means none or many partitions, or there is no such want or run.
pub fn run(global: &GlobalArgs, args: &WhyArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let what = &args.what;
    if what.parse::<WantId>().is_ok() || what.parse::<RunId>().is_ok() {
        let noun = if what.starts_with('w') { "wants" } else { "runs" };
        let why: WhyWork = client.get(&format!("/api/v1/{noun}/{what}/why"))?;
        return print_work(global, &why);
    }
    let why: Why = client
        .get(&format!("/api/v1/why?partition={}", url::query_value(what)))
        .map_err(|error| elsewhere(error, what))?;
    if global.json {
        output::json(&why)?;
        return Ok(exit_code::OK);
    }
    output::line(&why.summary);
    if let (Some(run), Some(at)) = (&why.run, &why.built_at) {
        // What is archived where nobody can read it is not named.
        let of = why.run_job.as_ref().map(|job| format!(" of {job}")).unwrap_or_default();
        output::line(&format!("  built by {run}{of} at {}", output::time(at)));
    }
    if let Some(adopted) = &why.adopted {
        let by = adopted.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        output::line(&format!("  adopted{by} at {}", output::time(&adopted.at)));
    }
    for said in &why.accepted {
        let evidence = if said.evidence.is_empty() { String::new() } else { format!(" ({})", said.evidence) };
        let at = output::time(&said.at);
        output::line(&format!("  accepted by {} at {at}: {}{evidence}", said.by, said.reason));
    }
    if !why.metadata.is_empty() {
        output::line(&format!("  reported {}", facts(&why.metadata)));
    }
    for cause in &why.causes {
        print_cause(cause, "  ");
    }
    for step in &why.upstream {
        let more = and_more_aside(step.count.saturating_sub(1) as usize);
        output::line(&format!("  upstream {}{more}: {}", step.partition, step.cause.message));
        print_cause(&step.cause, "    ");
    }
    if why.causes.is_empty() && why.upstream.is_empty() {
        for input in why.inputs.iter().take(SHOWN) {
            output::line(&format!(
                "  from {} {}{}",
                input.partition,
                short(input.now.as_deref()),
                kind(input)
            ));
        }
        print_more(why.inputs.len(), why.inputs_total, "  ");
    }
    let told = why.causes.iter().chain(why.upstream.iter().map(|step| &step.cause));
    if let Some(run) = told.filter_map(|cause| cause.run.as_ref()).chain(&why.failed_since).next() {
        output::talk(&format!("  more: databuild logs {run}"));
    }
    Ok(exit_code::OK)
}

/// What a job reported, on one line.
fn facts(metadata: &Map<String, Value>) -> String {
    let fact = |(name, value): (&String, &Value)| {
        let fact = format!("{name} {value}");
        match fact.char_indices().nth(MOST_OF_FACT) {
            Some((end, _)) => format!("{}...", &fact[..end]),
            None => fact,
        }
    };
    first_of(metadata.iter().map(fact), SHOWN)
}

/// Plans and trials are shown by commands of their own.
fn elsewhere(error: CliError, what: &str) -> CliError {
    let command = match (what.parse::<PlanId>(), what.parse::<TrialId>()) {
        _ if error.code() != "unknown_dataset" => return error,
        (Ok(_), _) => "plans",
        (_, Ok(_)) => "trials",
        _ => return error,
    };
    error.hint(format!("databuild {command} {what}"))
}

fn print_cause(cause: &WhyCause, indent: &str) {
    blame::lines(&cause.files, indent).iter().for_each(|line| output::line(line));
    for input in cause.inputs.iter().take(SHOWN) {
        output::line(&format!("{indent}{}", versions(input)));
    }
    print_more(cause.inputs.len(), cause.inputs_total, indent);
}

/// How many inputs there are beside those that were shown.
fn print_more(listed: usize, total: u64, indent: &str) {
    let more = total.saturating_sub(listed.min(SHOWN) as u64);
    if more > 0 {
        output::line(&format!("{indent}and {}", output::count(more, "more input")));
    }
}

fn print_work(global: &GlobalArgs, why: &WhyWork) -> Result<u8, CliError> {
    if global.json {
        return output::json(why).map(|()| exit_code::OK);
    }
    output::line(&standing(why));
    for cause in why.causes.iter().filter(|cause| **cause != why.blocker.message) {
        output::line(&format!("  {cause}"));
    }
    Ok(exit_code::OK)
}

/// Where a want or a run stands: `w3 is running: r106 (X, <1 s)`.
fn standing(why: &WhyWork) -> String {
    let WhyWork { id, state, blocker, .. } = why;
    let word = match blocker.kind.as_str() {
        "running" | "starting" | "publishing" => format!("is {}", blocker.kind),
        // For a want or run that is over, the state is the kind.
        kind if kind == state => state.replace('_', " "),
        _ => "is waiting".to_owned(),
    };
    match blocker.message.as_str() {
        "" => format!("{id} {word}"),
        message => format!("{id} {word}: {message}"),
    }
}

fn versions(input: &InputUsed) -> String {
    let version = |version: &Option<String>| short(version.as_deref());
    let (then, now) = (version(&input.then), version(&input.now));
    // What is read only now or was read only then has one version that matters, and may be there all the same.
    let versions = match input.kind.as_deref() {
        Some("added") => format!("{now} now"),
        Some("removed") => format!("{then} then"),
        _ => format!("{then} then, {now} now"),
    };
    format!("{}: {versions}{}", input.partition, kind(input))
}

/// What is special about an input.
fn kind(input: &InputUsed) -> &'static str {
    match input.kind.as_deref() {
        Some("discovered") => "  (found by its run)",
        Some("added") => "  (was no input then)",
        Some("removed") => "  (is no input any more)",
        _ => "",
    }
}

/// The beginning of a data version is enough for an eye.
fn short(version: Option<&str>) -> String {
    version.map_or_else(|| "absent".to_owned(), |version| version.chars().take(19).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_reported_fits_on_a_line() {
        let of = |value: Value| facts(value.as_object().unwrap());
        assert_eq!(of(serde_json::json!({"rows": 24, "source": "noaa"})), "rows 24, source \"noaa\"");
        let long = of(serde_json::json!({"é": "é".repeat(1000)}));
        assert_eq!((long.chars().count(), long.ends_with("é...")), (MOST_OF_FACT + 3, true));
        let many: Map<String, Value> = (0..12).map(|at| (format!("f{at:02}"), at.into())).collect();
        assert!(facts(&many).ends_with("f09 9 and 2 more"));
    }

    #[test]
    fn what_is_read_no_more_is_not_called_absent() {
        let of = |then: Option<&str>, now: Option<&str>, kind: Option<&str>| {
            versions(&InputUsed {
                partition: "a".to_owned(),
                then: then.map(str::to_owned),
                now: now.map(str::to_owned),
                kind: kind.map(str::to_owned),
            })
        };
        assert_eq!(of(Some("r1"), Some("r2"), None), "a: r1 then, r2 now");
        assert_eq!(of(Some("r1"), None, None), "a: r1 then, absent now");
        assert_eq!(of(Some("r1"), None, Some("removed")), "a: r1 then  (is no input any more)");
        assert_eq!(of(None, Some("r2"), Some("added")), "a: r2 now  (was no input then)");
    }

    #[test]
    fn where_a_want_stands_is_one_sentence() {
        let of = |state: &str, kind: &str, message: &str| {
            let blocker = crate::api::Blocker {
                kind: kind.to_owned(),
                message: message.to_owned(),
                ..crate::api::Blocker::default()
            };
            let (id, state) = ("w3".to_owned(), state.to_owned());
            standing(&WhyWork { id, state, block_reason: None, blocker, causes: Vec::new(), seq: 1 })
        };
        let running = of("open", "running", "r106 (X, <1 s) and 1 other run");
        assert_eq!(running, "w3 is running: r106 (X, <1 s) and 1 other run");
        assert_eq!(of("open", "slots", "all 4 places are taken"), "w3 is waiting: all 4 places are taken");
        assert_eq!(of("canceled", "canceled", ""), "w3 canceled");
        assert_eq!(of("failed", "failed", "x failed: exit code 1"), "w3 failed: x failed: exit code 1");
    }
}
