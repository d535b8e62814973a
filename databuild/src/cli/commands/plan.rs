//! `plan`: what a build would run, and why; kept, to be applied.

use crate::api::{PlanGroup, PlanRequest, PlanView};
use crate::app::estimate::takes;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::{seconds, word, GlobalArgs};
use crate::cli::steady::post_once;
use clap::Args;
use databuild_core::event::Refresh;
use databuild_core::planner::Reason;
use databuild_core::word::Word as _;

/// References shown of one group.
const SHOWN: usize = 2;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// What to do with partitions that exist
    #[arg(long, value_parser = word::<Refresh>(), default_value = Refresh::Stale.word())]
    pub refresh: Refresh,
    /// Read key spaces as of this instant
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// How long the plan can be applied: 90s, 30m, 2h, 3d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = seconds)]
    pub expires: u64,
    /// Only show it; nothing is recorded, and it cannot be applied
    #[arg(long, conflicts_with = "expires")]
    pub no_save: bool,
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &PlanArgs) -> Result<u8, CliError> {
    let client = connect::connect_with_graph(global)?;
    let request = PlanRequest {
        targets: args.targets.clone(),
        refresh: Some(args.refresh.word().to_owned()),
        as_of: args.as_of.clone(),
        expires_seconds: Some(args.expires),
        save: Some(!args.no_save),
    };
    let (plan, _): (PlanView, _) = post_once(global, &client, "/api/v1/plans", &request)?;
    print(global, &plan)?;
    let is_good = plan.blocked.is_empty() && !plan.targets.is_empty();
    Ok(if is_good { exit_code::OK } else { exit_code::WORK_FAILED })
}

/// Prints a plan.
///
/// # Errors
/// A bug: it cannot be JSON.
pub fn print(global: &GlobalArgs, plan: &PlanView) -> Result<(), CliError> {
    if global.json {
        return output::json(plan);
    }
    output::line(&headline(plan));
    if !plan.groups.is_empty() {
        output::line(&takes(&plan.estimate));
        let mut table = Table::new(&["COUNT", "JOB", "REASON", "PARTITIONS"]);
        for group in &plan.groups {
            table.row(vec![
                group.count.to_string(),
                group.job.clone(),
                group.message.clone(),
                partitions(group),
            ]);
        }
        table.print();
    }
    for (what, groups) in [("blocked", &plan.blocked), ("left out", &plan.left_out)] {
        for group in groups {
            output::line(&format!("{what}: {} ({})", partitions(group), whose(group)));
            output::line(&format!("  {}", group.message));
        }
    }
    if let (Some(id), Some(expires_at)) = (&plan.id, &plan.expires_at) {
        output::talk(&format!(
            "to do exactly this, before {}: databuild apply {id}",
            output::time(expires_at)
        ));
    }
    Ok(())
}

/// What a plan comes to.
fn headline(plan: &PlanView) -> String {
    if plan.targets.is_empty() {
        return format!("nothing is selected: no partition is named as of {}", output::time(&plan.as_of));
    }
    let current = output::count(plan.current, "partition");
    let count = |groups: &[PlanGroup]| groups.iter().map(|group| group.count).sum::<u64>();
    let left_out = match count(&plan.left_out) {
        0 => String::new(),
        left_out => format!(", {left_out} {} left out", output::are(left_out)),
    };
    if plan.groups.is_empty() && plan.blocked.is_empty() {
        return format!("nothing to do: {current} {} current{left_out}", output::are(plan.current));
    }
    let id = plan.id.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
    let mut text = format!("{id}{} to build", output::count(plan.certain, "partition"));
    let blocked = count(&plan.blocked);
    let of_runs = plan.groups.iter().filter(|group| group.reason == Reason::UnderWay.code());
    let under_way = of_runs.map(|group| group.count).sum();
    for (count, what) in
        [(plan.if_changed, "more if upstream changes"), (under_way, "under way"), (blocked, "blocked")]
    {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text + &format!("; {} {} current{left_out}", plan.current, output::are(plan.current))
}

/// How many partitions a group has, and which job makes them.
fn whose(group: &PlanGroup) -> String {
    match group.job.as_str() {
        "" => format!("{} external", group.count),
        job => format!("{} of {job}", group.count),
    }
}

/// The partitions of a group, the first ones of many.
fn partitions(group: &PlanGroup) -> String {
    let mut shown = group.partitions.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
    if group.partitions.len() > SHOWN {
        shown.push_str(" …");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Estimate;

    #[test]
    fn what_is_left_out_is_not_called_current() {
        let group = |job: &str, count| PlanGroup {
            job: job.to_owned(),
            reason: String::new(),
            message: String::new(),
            count,
            partitions: Vec::new(),
        };
        let plan = |current, blocked, left_out| PlanView {
            state: "open".to_owned(),
            changes: Vec::new(),
            want: None,
            id: None,
            expires_at: None,
            targets: vec!["a".to_owned()],
            as_of: "2026-11-01T00:00:00Z".to_owned(),
            graph: String::new(),
            certain: 0,
            if_changed: 0,
            current,
            groups: Vec::new(),
            blocked,
            left_out,
            estimate: Estimate { low_ms: 0, high_ms: 0, unknown_jobs: Vec::new() },
            seq: 1,
        };
        let of = |count| vec![group("//:a", count)];
        assert_eq!(headline(&plan(1, vec![], vec![])), "nothing to do: 1 partition is current");
        assert_eq!(
            headline(&plan(0, vec![], of(1))),
            "nothing to do: 0 partitions are current, 1 is left out"
        );
        assert_eq!(
            headline(&plan(1, of(1), of(2))),
            "0 partitions to build, 1 blocked; 1 is current, 2 are left out"
        );
        let mut joined = plan(0, vec![], vec![]);
        joined.groups = vec![PlanGroup { reason: "under_way".to_owned(), ..group("//:a", 3) }];
        assert_eq!(headline(&joined), "0 partitions to build, 3 under way; 0 are current");
        let nothing = headline(&PlanView { targets: Vec::new(), ..plan(0, vec![], vec![]) });
        assert!(nothing.starts_with("nothing is selected: no partition is named as of 2026-"), "{nothing}");
        assert_eq!(
            (whose(&group("//:a", 2)), whose(&group("", 1))),
            ("2 of //:a".into(), "1 external".into())
        );
    }
}
