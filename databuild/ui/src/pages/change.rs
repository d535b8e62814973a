//! One graph: what it changed against the one before, which files are to blame, and what that made stale.

use super::changes::said;
use crate::api::{
    AcceptReply, AcceptedChange, Blame, DatasetImpact, DiffView, EventRow, GraphDetail, GraphRow, JobDiff,
    StaleView, TrialDetail,
};
use crate::layout::{card, heading, Page, Part, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{act, May};
use crate::parts::reference::{breakable, dataset, digest, job, many, partitions, run};
use crate::parts::state::{chip, labeled, Look};
use crate::parts::table::{column, table};
use crate::parts::time::{ago, length};
use databuild_core::amounts::{are, bytes, number, plural};
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// Rows of a list that are shown; the rest is counted.
const ROWS: usize = 100;
/// Files of a job that are shown at once; the rest is folded.
const FILES: usize = 3;
/// Files that are shown at all.
const MOST_FILES: usize = 60;
/// Partitions that a comparison takes, as it does if nobody says how many.
const SAMPLE: usize = 5;

/// What the page shows.
#[derive(Debug)]
pub struct Change<'a> {
    /// The graph.
    pub head: &'a GraphDetail,
    /// Who looks sees some datasets alone, so what differs is not told.
    pub is_part: bool,
    /// The one that it is held against.
    pub base: Option<&'a GraphRow>,
    /// What differs.
    pub diff: Option<&'a DiffView>,
    /// The same as the comment of a pull request.
    pub markdown: &'a str,
    /// Comparisons of jobs that differ, newest first.
    pub trials: &'a [TrialDetail],
    /// What was accepted of it, newest first.
    pub accepted: &'a [EventRow],
    /// Whether who looks may judge it.
    pub may: May<'a>,
}

/// The page.
#[must_use]
pub fn page(shown: &Change<'_>, now: Timestamp) -> Page {
    let row = &shown.head.graph;
    // What is stale is worked out anew with each answer, so not at every end of a run.
    let of: &[&str] = if row.current { &["wants"] } else { &[] };
    let mut page = Page::new(format!("Graph {}", row.number), Place::Changes, of, lead(shown, now));
    let Some(diff) = shown.diff else {
        return page.part(contents("jobs", "Jobs", &shown.head.jobs, job)).part(contents(
            "datasets",
            "Datasets",
            &shown.head.datasets,
            dataset,
        ));
    };
    let width = if diff.stale.is_some() { Width::Wide } else { Width::Full };
    let much = many(diff.jobs.len() as u64, "job");
    page = page.part(card(
        "jobs",
        width,
        of,
        &heading("Jobs that differ", &much, &[]),
        &jobs(row, diff, shown.may),
    ));
    if let Some(stale) = &diff.stale {
        let heading = heading("Stale because of it now", &stale_counts(stale), &[]);
        page = page.part(card("stale", Width::Narrow, of, &heading, &what_is_stale(stale)));
    }
    let others = others(diff);
    if !others.is_empty() {
        let much = number(others.len() as u64);
        let list = html! {
            ul.plain { @for one in others.iter().take(ROWS) { li { (one) } } }
            @if others.len() > ROWS { p.note.line { "and " (number((others.len() - ROWS) as u64)) " more" } }
        };
        page = page.part(card("others", Width::Full, &[], &heading("What else differs", &much, &[]), &list));
    }
    if !shown.trials.is_empty() {
        let much = number(shown.trials.len() as u64);
        let content = html! { @for trial in shown.trials { (comparison(trial, now)) } };
        let heading = heading("Comparisons", &much, &[]);
        page = page.part(card("trials", Width::Full, &["trials"], &heading, &content));
    }
    if !shown.accepted.is_empty() {
        let much = number(shown.accepted.len() as u64);
        let content = acceptances(shown.accepted, now);
        page = page.part(card(
            "accepted",
            Width::Full,
            of,
            &heading("Accepted as harmless", &much, &[]),
            &content,
        ));
    }
    page = page.part(comment(shown.markdown));
    if row.current {
        page.command(format!("diff --base {} --markdown", short(&diff.base)))
    } else {
        page
    }
}

fn lead(shown: &Change<'_>, now: Timestamp) -> Markup {
    let row = &shown.head.graph;
    let id = short(&row.id);
    html! {
        h1 { "Graph " (row.number) " " @if row.current { span.tag { "followed" } } }
        p.say {
            "Graph " span.m title=(row.id) { (id) } " was registered " (ago(&row.at, now)) @if let Some(by) = &row.by { " by " b { (by) } } ". "
            @match (shown.base, shown.diff) {
                (Some(base), Some(diff)) => {
                    "Against " a href=(links::change(base.number)) { "graph " (base.number) } ", "
                    b { (number(diff.jobs.len() as u64)) " of " (many(shown.head.jobs.len() as u64, "job")) }
                    " " (plural(diff.jobs.len() as u64, "differs", "differ"))
                    @match &diff.stale {
                        Some(stale) if stale.partitions > 0 => { ". " (stale_now(stale)) },
                        Some(_) => ". Nothing is stale because of it now: if it made anything stale, that was built or accepted since.",
                        None => ". New work follows a newer graph, so what is stale now is told there.",
                    }
                    @if let Some(lost) = diff.stale.as_ref().map(|stale| stale.lost).filter(|lost| *lost > 0) {
                        " " b { (many(lost, "built partition")) } " lost their history: declare " code { "moved" } " for what was renamed."
                    }
                    @if let Some(change) = row.change.as_ref().filter(|_| diff.jobs.is_empty()) { " It changed " (said(change)) "." }
                },
                _ => {
                    @if shown.is_part { "Of what you may see, it" } @else { "No other was registered before it. It" }
                    " has " b { (many(shown.head.jobs.len() as u64, "job")) } " and " b { (many(shown.head.datasets.len() as u64, "dataset")) } "."
                },
            }
        }
    }
}

/// Partitions that are stale, and those that may become so: they are told apart wherever they are told.
fn stale_parts(stale: &StaleView) -> (u64, u64) {
    let behind: u64 = stale.datasets.iter().map(|dataset| dataset.downstream).sum();
    (stale.partitions - behind.min(stale.partitions), behind)
}

/// `10, and 2 if upstream changes`.
fn stale_counts(stale: &StaleView) -> String {
    match stale_parts(stale) {
        (certain, 0) => many(certain, "partition"),
        (certain, behind) => {
            format!("{}, and {} if upstream changes", many(certain, "partition"), number(behind))
        }
    }
}

fn stale_now(stale: &StaleView) -> Markup {
    let (certain, behind) = stale_parts(stale);
    html! {
        b { (many(certain, "partition")) " " (are(certain)) " stale because of it" }
        @if behind > 0 { ", and " b { (number(behind)) " more" } " " (plural(behind, "is", "are")) " made from these, so built anew if these come out different" }
        @if let Some(took) = takes(stale) { " (" (took) ")" }
        "."
    }
}

/// `about 2 h 10 min`.
fn takes(stale: &StaleView) -> Option<String> {
    let estimate = stale.estimate.as_ref().filter(|estimate| estimate.high_ms > 0)?;
    let (low, high) = (length(estimate.low_ms), length(estimate.high_ms));
    Some(if low == high || estimate.low_ms == 0 {
        format!("about {high} to build anew")
    } else {
        format!("{low} to {high} to build anew")
    })
}

fn contents(id: &'static str, name: &str, all: &[String], link: impl Fn(&str) -> Markup) -> Part {
    let list = html! {
        ul.plain { @for one in all.iter().take(ROWS) { li { (link(one)) } } }
        @if all.len() > ROWS { p.note.line { "and " (number((all.len() - ROWS) as u64)) " more" } }
    };
    card(id, Width::Half, &[], &heading(name, &number(all.len() as u64), &[]), &list)
}

fn jobs(row: &GraphRow, diff: &DiffView, may: May<'_>) -> Markup {
    if diff.jobs.is_empty() {
        return html! { p.note { "No job differs." } };
    }
    let columns = [column("Job", ""), column("How", "fit"), column("Because of", "")];
    // What was made before can be judged only under the graph that is followed, and only if it is stale for it.
    let is_stale = diff.stale.as_ref().is_some_and(|stale| stale.partitions > 0);
    let judged = |job: &JobDiff| {
        row.current
            && is_stale
            && job.change != "added"
            && job.change != "removed"
            && job.what.iter().any(|what| what == "code" || what == "args")
    };
    let rows = html! {
        @for one in diff.jobs.iter().take(ROWS) {
            tr {
                td { (job(&one.job)) @if let Some(from) = &one.from { br; span.soft { "was " span.m { (from) } } } }
                td.fit { (how(&one.change)) @if !one.what.is_empty() { br; span.soft { (one.what.join(", ")) } } }
                td { (because_of(one)) @if judged(one) { div.does { (may.lead(&links::change(row.number).with("ask", "judge").with("job", &one.job), "Judge", false)) } } }
            }
        }
    };
    html! {
        (table(&columns, &rows))
        @if diff.jobs.len() > ROWS { p.note.line { "and " (many((diff.jobs.len() - ROWS) as u64, "more job")) } }
    }
}

/// A change, with a shape.
fn how(change: &str) -> Markup {
    let look = match change {
        "added" => Look::Ok,
        "removed" => Look::Out,
        _ => Look::Stale,
    };
    labeled(look, change)
}

/// Why a job differs, as far as it is known.
fn because_of(job: &JobDiff) -> Markup {
    html! {
        @for change in &job.args { div.m { (change.replace('`', "")) } }
        @match &job.files {
            Some(all) if all.is_empty() => span.soft { "no source file: a tool, a toolchain or a generated file" },
            Some(all) => (files(all)),
            None => {},
        }
    }
}

/// Files to blame; if there are many, the rest of them is folded.
pub(super) fn files(all: &[Blame]) -> Markup {
    let line = |file: &Blame| {
        html! { div { span.m { (breakable(&file.path)) } " " span.soft { (file.change) @if file.via.len() > 1 { ", through " (file.via[1..].join(" \u{2192} ")) } } } }
    };
    html! {
        @for file in all.iter().take(FILES) { (line(file)) }
        @if all.len() > FILES {
            details {
                summary { (many((all.len() - FILES) as u64, "more file")) }
                @for file in all.iter().take(MOST_FILES).skip(FILES) { (line(file)) }
                @if all.len() > MOST_FILES { div.soft { "and " (number((all.len() - MOST_FILES) as u64)) " more" } }
            }
        }
    }
}

fn what_is_stale(stale: &StaleView) -> Markup {
    let touched = |dataset: &&DatasetImpact| dataset.stale + dataset.downstream + dataset.lost > 0;
    let all: Vec<&DatasetImpact> = stale.datasets.iter().filter(touched).collect();
    let columns = [column("Dataset", ""), column("Stale", "num"), column("If upstream changes", "num")];
    let list = |name: &str, state: &str| links::partitions(name).with("state", state);
    let rows = html! {
        @for one in all.iter().take(ROWS) {
            tr {
                td { (dataset(&one.dataset)) @if one.lost > 0 { br; (labeled(Look::Bad, &format!("{} lost", number(one.lost)))) } }
                td.num { a href=(list(&one.dataset, "stale")) { (number(one.stale)) } }
                td.num { a href=(list(&one.dataset, "behind")) { (number(one.downstream)) } }
            }
        }
    };
    html! {
        @if all.is_empty() { p.note { "Nothing." } }
        @else { (table(&columns, &rows)) }
        @if all.len() > ROWS { p.note.line { "and " (many((all.len() - ROWS) as u64, "more dataset")) } }
        @if let Some(took) = takes(stale) { p.note.line { "It takes " (took) "." } }
        @if let Some(estimate) = stale.estimate.as_ref().filter(|estimate| !estimate.unknown_jobs.is_empty()) { p.note.line { (many(estimate.unknown_jobs.len() as u64, "job")) " never ran, so nobody knows how long they take." } }
        @if stale.already > 0 { p.note.line { (many(stale.already, "partition")) " " (are(stale.already)) " stale without it, too." } }
    }
}

/// Datasets, checks, schedules, pools and other names that differ.
fn others(diff: &DiffView) -> Vec<Markup> {
    let respects = |what: &[String]| html! { @if !what.is_empty() { span.soft { ": " (what.join(", ")) } } };
    let slots = |slots: Option<u32>| slots.map_or_else(|| "none".to_owned(), |slots| slots.to_string());
    let datasets = diff.datasets.iter().map(|one| {
        html! {
            (how(&one.change)) " dataset " @if one.change == "removed" { (one.dataset) } @else { (dataset(&one.dataset)) }
            @if let Some(from) = &one.from { ", which was " (from) } (respects(&one.what))
        }
    });
    let checks = diff.checks.iter().map(|one| {
        html! { (how(&one.change)) " check " span.m { (one.check) } (respects(&one.what)) }
    });
    let schedules = diff.schedules.iter().map(|one| {
        html! { (how(&one.change)) " schedule " span.m { (one.schedule) } (respects(&one.what)) }
    });
    let pools = diff.pools.iter().map(|one| {
        html! { (how(&one.change)) " pool " span.m { (one.pool) } span.soft { ": slots " (slots(one.before)) " \u{2192} " (slots(one.now)) } }
    });
    let moved = diff.moved.iter().map(|one| {
        html! { (how(&one.change)) " other name of the " (one.kind) " " span.m { (one.to) } span.soft { ", which was " (one.from) } }
    });
    datasets.chain(checks).chain(schedules).chain(pools).chain(moved).collect()
}

/// A comparison of what a job made and makes.
fn comparison(trial: &TrialDetail, now: Timestamp) -> Markup {
    let row = &trial.trial;
    let columns = [
        column("Output", ""),
        column("Result", "fit"),
        column("Size then", "num opt"),
        column("Size now", "num opt"),
        column("Runs", "opt"),
        column("What it says", "opt"),
    ];
    let rows = html! {
        @for result in trial.results.iter().take(ROWS) {
            tr {
                td { (partitions(&result.partition, 1)) }
                td.fit { (chip(&result.verdict)) }
                td.num.opt { @if result.then.is_some() { (bytes(result.then_bytes)) } }
                td.num.opt { @if result.now.is_some() { (bytes(result.now_bytes)) } }
                td.opt { @for (at, id) in result.runs.iter().enumerate() { @if at > 0 { " " } (run(id)) } }
                td.opt.soft { (result.message) }
            }
        }
    };
    html! {
        p.note { (chip(&row.state)) " " span.m { (row.id) } " of " (job(&row.job)) ", " (ago(&row.created_at, now)) " by " (row.by) ": " (number(row.done as u64)) " of " (many(row.runs as u64, "run")) " done." }
        @if !trial.results.is_empty() { (table(&columns, &rows)) }
    }
}

/// Who judged which change harmless, and why.
fn acceptances(rows: &[EventRow], now: Timestamp) -> Markup {
    let columns = [
        column("Job", ""),
        column("Partitions", ""),
        column("Why", ""),
        column("Evidence", "opt"),
        column("By", "opt"),
        column("When", "num"),
    ];
    let text = |row: &EventRow, name: &str| row.data[name].as_str().unwrap_or_default().to_owned();
    let lines = html! {
        @for row in rows {
            @let sets: Vec<&str> = row.data["partitions"].as_array().into_iter().flatten().filter_map(|text| text.as_str()).collect();
            tr {
                td { (job(&text(row, "job"))) }
                td { @for (at, set) in sets.iter().take(FILES).enumerate() { @if at > 0 { br; } (partitions(set, 2)) } @if sets.len() > FILES { br; span.soft { "and " (number((sets.len() - FILES) as u64)) " more" } } }
                td { (text(row, "reason")) }
                td.opt { (text(row, "evidence")) }
                td.opt { (row.actor.name.as_deref().unwrap_or("DataBuild")) }
                td.num { a href=(links::event(row.seq)) { (ago(&row.at, now)) } }
            }
        }
    };
    table(&columns, &lines)
}

/// What differs, to be copied into a pull request.
fn comment(markdown: &str) -> Part {
    let content = html! {
        details.pad {
            summary { "Show it as Markdown" }
            label.hidden for="markdown" { "The comment" }
            textarea id="markdown" readonly rows="12" spellcheck="false" { (markdown) }
        }
    };
    card("comment", Width::Full, &[], &heading("The comment of a pull request", "", &[]), &content)
}

/// What can be done about a job that changed, before it is done. `evidence` is the comparison that speaks for it, if there is one.
#[must_use]
pub fn judge(number: u64, label: &str, preview: &AcceptReply, evidence: &str, may: May<'_>) -> Page {
    let of: u64 = preview.partitions;
    let lead = html! {
        h1 { "Is the change of " span.m { (label) } " harmless?" }
        p.say {
            b { (many(of, "partition")) } " " (plural(of, "was", "were")) " made by another version of it. Accept them as they are, compare a sample of both versions first, or build them anew."
        }
    };
    let action = links::change(number);
    let word = shell_word(label);
    let content = html! {
        form.filter.pad action=(action) method="post" {
            (may.sent())
            input type="hidden" name="action" value="accept";
            input type="hidden" name="job" value=(label);
            label.wide { "Why it is harmless" input type="search" name="reason" autocomplete="off" required placeholder="only a comment changed"; }
            label { "Evidence" input.id type="search" name="evidence" value=(evidence) autocomplete="off" placeholder="t3"; }
            (may.button(&format!("Accept {}", many(of, "partition")), true))
        }
        div.acts {
            (act(&action, may, &format!("Compare a sample of {SAMPLE}"), false, &[("action", "compare"), ("job", label)]))
            @if let Some(targets) = targets(&preview.changes) { (act(&Url::new("/plans"), may, "Plan to build them anew", false, &[("targets", &targets)])) }
            a.btn href=(action) { "Leave it as it is" }
        }
        p.note.line { "A comparison publishes nothing. What is accepted stays current, and so does what is made from it; who accepted it and why stays in the log." }
    };
    Page::new(format!("Judge {label}"), Place::Changes, &[], lead)
        .part(card(
            "changes",
            Width::Full,
            &[],
            &heading("What would be accepted", &many(of, "partition"), &[]),
            &accepted(&preview.changes),
        ))
        .part(Part { id: "ask", width: Width::Wide, of: Vec::new(), card: true, content })
        .command(format!("accept --job {word} --dry-run"))
        .command(format!("accept --job {word} --reason 'only a comment changed'"))
        .command(format!("compare {word} --sample {SAMPLE}"))
}

/// References of all that would be accepted, if they are few enough to be named.
fn targets(changes: &[AcceptedChange]) -> Option<String> {
    let all: Vec<&str> = changes.iter().flat_map(|change| &change.partitions).map(String::as_str).collect();
    (!all.is_empty() && all.iter().all(|text| !text.starts_with('\u{2026}') && !text.contains(' ')))
        .then(|| all.join(" "))
}

fn accepted(changes: &[AcceptedChange]) -> Markup {
    let columns = [
        column("Partitions", ""),
        column("How many", "num"),
        column("What differs", ""),
        column("Files", "opt"),
    ];
    let rows = html! {
        @for change in changes {
            tr {
                td { @for (at, text) in change.partitions.iter().take(FILES).enumerate() { @if at > 0 { br; } @if text.starts_with('\u{2026}') { (text) } @else { (partitions(text, change.count)) } } @if change.partitions.len() > FILES { br; span.soft { "and more" } } }
                td.num { (number(change.count)) }
                td {
                    @if change.from.code != change.to.code { div { "code " (digest(&change.from.code)) " \u{2192} " (digest(&change.to.code)) } }
                    @if change.from.args != change.to.args { div { "arguments " (digest(&change.from.args)) " \u{2192} " (digest(&change.to.args)) } }
                }
                td.opt { (files(&change.files)) }
            }
        }
    };
    table(&columns, &rows)
}

/// The beginning of a digest.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::super::changes::tests::graph;
    use super::*;
    use crate::api::{DatasetDiff, Digests, Estimate};

    fn detail(number: u64) -> GraphDetail {
        GraphDetail {
            graph: graph(number, None),
            jobs: vec!["//ml:features".to_owned(), "//ml:old".to_owned()],
            datasets: vec!["features".to_owned()],
            seq: 950,
        }
    }

    fn blame(path: &str) -> Blame {
        let via = vec!["//ml:features".to_owned(), "//lib:rolling".to_owned()];
        Blame { path: path.to_owned(), owner: "//lib:rolling".to_owned(), change: "changed".to_owned(), via }
    }

    fn diff() -> DiffView {
        DiffView {
            base: "0123456789".to_owned(),
            head: "4fb587cd00".to_owned(),
            jobs: vec![JobDiff {
                job: "//ml:features".to_owned(),
                change: "changed".to_owned(),
                from: None,
                what: vec!["code".to_owned(), "args".to_owned()],
                args: vec!["`--x=1` -> `--x=<2>`".to_owned()],
                files: Some(["lib/a.py", "lib/b.py", "lib/c.py", "lib/d.py"].map(blame).to_vec()),
            }],
            datasets: vec![DatasetDiff {
                dataset: "features".to_owned(),
                change: "moved".to_owned(),
                from: Some("feature".to_owned()),
                what: Vec::new(),
            }],
            checks: Vec::new(),
            schedules: Vec::new(),
            pools: Vec::new(),
            moved: Vec::new(),
            stale: Some(StaleView {
                partitions: 1_288,
                already: 3,
                lost: 2,
                variables: Vec::new(),
                deadlines: Vec::new(),
                datasets: vec![DatasetImpact {
                    dataset: "features".to_owned(),
                    stale: 1_204,
                    downstream: 84,
                    already: 0,
                    lost: 2,
                }],
                estimate: Some(Estimate { low_ms: 7_440_000, high_ms: 7_800_000, unknown_jobs: Vec::new() }),
                seq: 950,
            }),
        }
    }

    fn text_of(page: &Page) -> String {
        page.whole(&crate::layout::Site::default()).into_string()
    }

    #[test]
    fn a_graph_says_what_it_changed_which_files_did_and_what_that_costs() {
        let (head, base, diff) = (detail(900), graph(700, None), diff());
        let shown = Change {
            head: &head,
            is_part: false,
            base: Some(&base),
            diff: Some(&diff),
            markdown: "### <x>",
            trials: &[],
            accepted: &[],
            may: May::Do(""),
        };
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let text = text_of(&page(&shown, now));
        for part in [
            "<b>1 of 2 jobs</b> differs. <b>1,204 partitions are stale because of it</b>, and <b>84 more</b> are made from these",
            "(2 h 04 min to 2 h 10 min to build anew)",
            "1,204 partitions, and 84 if upstream changes",
            "<b>2 built partitions</b> lost their history",
            "lib/<wbr>a.py",
            "<summary>1 more file</summary>",
            "through //lib:rolling",
            "--x=1 -&gt; --x=&lt;2&gt;",
            "href=\"/partitions?ref=features&amp;state=stale\">1,204</a>",
            "href=\"/changes/900?ask=judge&amp;job=//ml:features\"",
            ", which was feature",
            "### &lt;x&gt;",
            "databuild diff --base 01234567 --markdown",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn of_an_older_graph_nothing_is_judged_and_the_first_one_has_nothing_before_it() {
        let (head, base) = (detail(800), graph(700, None));
        let diff = DiffView { stale: None, ..diff() };
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let shown = Change {
            head: &head,
            is_part: false,
            base: Some(&base),
            diff: Some(&diff),
            markdown: "",
            trials: &[],
            accepted: &[],
            may: May::Do(""),
        };
        let text = text_of(&page(&shown, now));
        assert!(text.contains("New work follows a newer graph") && !text.contains("ask=judge"), "{text}");
        let shown = Change {
            head: &head,
            is_part: false,
            base: None,
            diff: None,
            markdown: "",
            trials: &[],
            accepted: &[],
            may: May::Do(""),
        };
        let text = text_of(&page(&shown, now));
        assert!(text.contains("It has <b>2 jobs</b> and <b>1 dataset</b>"), "{text}");
    }

    #[test]
    fn what_would_be_accepted_is_shown_before_it_is() {
        let digests = |code: &str| Digests { code: code.to_owned(), args: "a".to_owned() };
        let change = |partitions: &[&str]| AcceptedChange {
            job: "//ml:features".to_owned(),
            from: digests("1111111111111111"),
            to: digests("2222222222222222"),
            count: 84,
            partitions: partitions.iter().map(|text| (*text).to_owned()).collect(),
            files: vec![blame("lib/a.py")],
        };
        let reply = |partitions: &[&str]| AcceptReply {
            dry_run: true,
            changes: vec![change(partitions)],
            partitions: 84,
            seq: 950,
        };
        let few = text_of(&judge(
            900,
            "//ml:features",
            &reply(&["features/date=2026-01-01..2026-03-25"]),
            "t3",
            May::Do("token"),
        ));
        for part in [
            "name=\"action\" value=\"accept\"",
            "name=\"reason\"",
            "name=\"evidence\" value=\"t3\"",
            "Accept 84 partitions",
            "code <code title=\"1111111111111111\">111111111111</code>",
            "name=\"targets\" value=\"features/date=2026-01-01..2026-03-25\"",
            "databuild accept --job //ml:features --dry-run",
            "databuild compare //ml:features --sample 5",
        ] {
            assert!(few.contains(part), "{part}: {few}");
        }
        // What is not all named cannot be planned by its names.
        let many = text_of(&judge(
            900,
            "//ml:features",
            &reply(&["features/date=2026-01-01", "\u{2026} and 83 more"]),
            "",
            May::Do("token"),
        ));
        assert!(!many.contains("name=\"targets\""), "{many}");
    }
}
