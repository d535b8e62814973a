//! What differs between two graphs, as the comment of a pull request: Markdown as the hosts of repositories read it.
//!
//! A pure function of what `diff` found. Names come from BUILD files of whoever opened the pull request, so each stands in a
//! span of code, in which nothing is a link, a mention or HTML.

use super::estimate::takes;
use crate::api::{Blame, DeadlineAtRisk, DiffView, JobDiff, StaleView};
use databuild_core::amounts::{are, count, plural};

/// Rows of a table; the rest is counted. Hosts refuse comments of more than some ten thousand characters.
const ROWS: usize = 40;
/// Files of a job that are named; the rest is counted.
const FILES: usize = 5;

/// The lines of the comment.
#[must_use]
pub fn lines(view: &DiffView) -> Vec<String> {
    let mut lines = vec![format!("### DataBuild: {}", headline(view)), String::new()];
    if let Some(stale) = &view.stale {
        lines.extend(impact(stale));
    }
    let job = |job: &JobDiff| {
        vec![change(&job.change, job.from.as_deref()), span(&job.job), respects(&job.what), because(job)]
    };
    lines.extend(table(&["", "Job", "What", "Because of"], view.jobs.iter().map(job).collect()));
    let others = others(view);
    if !others.is_empty() {
        let rest = others.len().saturating_sub(ROWS);
        lines.extend(others.into_iter().take(ROWS));
        lines.extend((rest > 0).then(|| format!("- and {} more", rest)));
        lines.push(String::new());
    }
    lines.push(format!("Base {}, head {}.", span(short(&view.base)), span(short(&view.head))));
    lines
}

/// What matters most, in a line.
fn headline(view: &DiffView) -> String {
    let jobs = match view.jobs.len() as u64 {
        0 => "no job differs".to_owned(),
        number => format!("{} {}", count(number, "job"), plural(number, "differs", "differ")),
    };
    let stale = match &view.stale {
        None => String::new(),
        Some(stale) if stale.partitions == 0 => ", nothing goes stale".to_owned(),
        Some(stale) => format!(", {} {} stale", count(stale.partitions, "partition"), goes(stale.partitions)),
    };
    let lost = match view.stale.as_ref().map_or(0, |stale| stale.lost) {
        0 => String::new(),
        lost => format!(", {} {} history", count(lost, "partition"), plural(lost, "loses its", "lose their")),
    };
    format!("{jobs}{stale}{lost}")
}

/// What a build makes anew whatever the graph.
fn already(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!("; {count} {} stale already", are(count)),
    }
}

fn goes(count: u64) -> &'static str {
    plural(count, "goes", "go")
}

/// What goes stale, how long it takes to build it anew, and what is lost.
fn impact(stale: &StaleView) -> Vec<String> {
    let mut lines = Vec::new();
    if stale.partitions > 0 {
        let downstream: u64 = stale.datasets.iter().map(|dataset| dataset.downstream).sum();
        let certain = stale.partitions - downstream;
        let estimate =
            stale.estimate.as_ref().map(|estimate| format!(" Building them anew {}.", takes(estimate)));
        let more = match downstream {
            0 => String::new(),
            more => format!(", {more} more if upstream changes"),
        };
        lines.push(format!(
            "{} that {} current would be stale{more}{}.{}",
            count(certain, "partition"),
            are(certain),
            already(stale.already),
            estimate.unwrap_or_default()
        ));
        lines.push(String::new());
        let rows = stale.datasets.iter().filter(|dataset| dataset.stale + dataset.downstream > 0);
        let row = |dataset: &crate::api::DatasetImpact| {
            vec![span(&dataset.dataset), dataset.stale.to_string(), dataset.downstream.to_string()]
        };
        lines.extend(table(&["Dataset", "Stale", "If upstream changes"], rows.map(row).collect()));
    }
    for DeadlineAtRisk { want, due_at, ends_at } in &stale.deadlines {
        lines.push(format!("**{want} would be late**: it is due at {due_at}, and may end at {ends_at}."));
        lines.push(String::new());
    }
    for dataset in stale.datasets.iter().filter(|dataset| dataset.lost > 0) {
        lines.push(format!(
            "**{} of {} would lose their history**: declare `moved` for what was renamed.",
            count(dataset.lost, "built partition"),
            span(&dataset.dataset)
        ));
        lines.push(String::new());
    }
    lines
}

/// Why a job differs, as far as it is known.
fn because(job: &JobDiff) -> String {
    let mut parts: Vec<String> = job.args.iter().map(|change| span(change)).collect();
    if let Some(files) = &job.files {
        let file = |file: &Blame| format!("{} {}", file.change, span(&file.path));
        parts.extend(files.iter().take(FILES).map(file));
        let more = files.len().saturating_sub(FILES) as u64;
        parts.extend((more > 0).then(|| format!("and {}", count(more, "more file"))));
        if files.is_empty() {
            parts.push("no source file: a tool, a toolchain or a generated file".to_owned());
        }
    }
    parts.join("<br>")
}

/// Datasets, checks, schedules, pools and renames that differ, a line for each.
fn others(view: &DiffView) -> Vec<String> {
    let datasets = view.datasets.iter().map(|dataset| {
        let change = change(&dataset.change, dataset.from.as_deref());
        format!("- {change} dataset {}{}", span(&dataset.dataset), in_respect(&dataset.what))
    });
    let checks = view
        .checks
        .iter()
        .map(|check| format!("- {} check {}{}", check.change, span(&check.check), in_respect(&check.what)));
    let schedules = view
        .schedules
        .iter()
        .map(|one| format!("- {} schedule {}{}", one.change, span(&one.schedule), in_respect(&one.what)));
    let slots = |slots: Option<u32>| slots.map_or("none".to_owned(), |slots| slots.to_string());
    let pools = view.pools.iter().map(|pool| {
        format!(
            "- {} pool {}: slots {} -> {}",
            pool.change,
            span(&pool.pool),
            slots(pool.before),
            slots(pool.now)
        )
    });
    let moved = view.moved.iter().map(|moved| {
        format!("- {} `moved` of {} {} -> {}", moved.change, moved.kind, span(&moved.from), span(&moved.to))
    });
    datasets.chain(checks).chain(schedules).chain(pools).chain(moved).collect()
}

fn change(change: &str, from: Option<&str>) -> String {
    match from {
        Some(from) => format!("{change} from {}", span(from)),
        None => change.to_owned(),
    }
}

fn respects(what: &[String]) -> String {
    what.join(", ")
}

fn in_respect(what: &[String]) -> String {
    if what.is_empty() {
        String::new()
    } else {
        format!(": {}", respects(what))
    }
}

/// A table; none without rows.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|text| (*text).to_owned()).collect();
    let rest = rows.len().saturating_sub(ROWS);
    let mut lines = vec![line(&head), format!("|{}", " --- |".repeat(head.len()))];
    lines.extend(rows.iter().take(ROWS).map(|row| line(row)));
    lines.push(String::new());
    if rest > 0 {
        lines.extend([format!("and {rest} more"), String::new()]);
    }
    lines
}

/// A text as a span of code that may stand in a table: between more backticks than it has in a row, on one line. A bar is escaped,
/// which tables take back.
fn span(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{fence}{pad}{}{pad}{fence}", line.replace('|', "\\|"))
}

/// The beginning of a digest.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{CheckDiff, DatasetDiff, DatasetImpact, Estimate, MovedDiff, PoolDiff, ScheduleDiff};

    fn empty() -> DiffView {
        DiffView {
            base: "0123456789".to_owned(),
            head: "abcdef0123".to_owned(),
            jobs: Vec::new(),
            datasets: Vec::new(),
            checks: Vec::new(),
            schedules: Vec::new(),
            pools: Vec::new(),
            moved: Vec::new(),
            stale: None,
        }
    }

    fn job(label: &str) -> JobDiff {
        JobDiff {
            job: label.to_owned(),
            change: "changed".to_owned(),
            from: None,
            what: vec!["code".to_owned()],
            args: Vec::new(),
            files: Some(vec![Blame {
                path: "lib/rolling.py".to_owned(),
                owner: "//lib:rolling".to_owned(),
                change: "changed".to_owned(),
                via: Vec::new(),
            }]),
        }
    }

    #[test]
    fn a_comment_says_what_differs_why_and_what_it_costs() {
        let impact = |name: &str, stale, downstream, lost| DatasetImpact {
            dataset: name.to_owned(),
            stale,
            downstream,
            already: 0,
            lost,
        };
        let text = |text: &str| text.to_owned();
        let view = DiffView {
            jobs: vec![
                job("//:smooth"),
                JobDiff {
                    what: vec![text("args")],
                    args: vec![text("`--x=1` -> `--x=2`")],
                    files: None,
                    ..job("//:a|b")
                },
            ],
            datasets: vec![DatasetDiff {
                dataset: text("new"),
                change: text("moved"),
                from: Some(text("old")),
                what: vec![text("path")],
            }],
            checks: vec![CheckDiff { check: text("//:c"), change: text("added"), what: Vec::new() }],
            schedules: vec![ScheduleDiff {
                schedule: text("//:nightly"),
                change: text("changed"),
                what: vec![text("when")],
            }],
            pools: vec![PoolDiff {
                pool: text("//:db"),
                change: text("changed"),
                before: Some(2),
                now: Some(4),
            }],
            moved: vec![MovedDiff {
                kind: text("dataset"),
                change: text("added"),
                from: text("old"),
                to: text("new"),
                dataset: None,
            }],
            stale: Some(StaleView {
                partitions: 61,
                already: 2,
                lost: 3,
                variables: Vec::new(),
                deadlines: vec![DeadlineAtRisk {
                    want: text("w7"),
                    due_at: text("2026-11-21T07:00:00Z"),
                    ends_at: text("2026-11-21T08:15:00Z"),
                }],
                datasets: vec![
                    impact("report", 0, 1, 0),
                    impact("temps_7d", 60, 0, 0),
                    impact("gone", 0, 0, 3),
                ],
                estimate: Some(Estimate { low_ms: 3_600_000, high_ms: 7_200_000, unknown_jobs: Vec::new() }),
                seq: 9,
            }),
            ..empty()
        };
        assert_eq!(
            lines(&view).join("\n"),
            "### DataBuild: 2 jobs differ, 61 partitions go stale, 3 partitions lose their history\n\
             \n\
             60 partitions that are current would be stale, 1 more if upstream changes; 2 are stale already. Building them anew takes about 1h 00m to 2h 00m.\n\
             \n\
             | Dataset | Stale | If upstream changes |\n\
             | --- | --- | --- |\n\
             | `report` | 0 | 1 |\n\
             | `temps_7d` | 60 | 0 |\n\
             \n\
             **w7 would be late**: it is due at 2026-11-21T07:00:00Z, and may end at 2026-11-21T08:15:00Z.\n\
             \n\
             **3 built partitions of `gone` would lose their history**: declare `moved` for what was renamed.\n\
             \n\
             |  | Job | What | Because of |\n\
             | --- | --- | --- | --- |\n\
             | changed | `//:smooth` | code | changed `lib/rolling.py` |\n\
             | changed | `//:a\\|b` | args | `` `--x=1` -> `--x=2` `` |\n\
             \n\
             - moved from `old` dataset `new`: path\n\
             - added check `//:c`\n\
             - changed schedule `//:nightly`: when\n\
             - changed pool `//:db`: slots 2 -> 4\n\
             - added `moved` of dataset `old` -> `new`\n\
             \n\
             Base `01234567`, head `abcdef01`."
        );
    }

    #[test]
    fn what_is_not_known_is_not_said_and_what_is_much_is_counted() {
        assert_eq!(lines(&empty())[0], "### DataBuild: no job differs");
        let view = DiffView {
            jobs: (0..50).map(|n| job(&format!("//:j{n}"))).collect(),
            stale: Some(StaleView::default()),
            ..empty()
        };
        let lines = lines(&view);
        assert_eq!(lines[0], "### DataBuild: 50 jobs differ, nothing goes stale");
        assert!(lines.contains(&"and 10 more".to_owned()), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("//:j")).count(), ROWS);
    }

    #[test]
    fn nothing_in_a_name_is_markdown() {
        assert_eq!(span("a`b"), "`` a`b ``");
        assert_eq!(span("@all <b>|\n"), "`@all <b>\\| `");
    }
}
