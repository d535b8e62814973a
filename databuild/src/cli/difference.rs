//! What differs between a graph that was built and another one: worked out, and printed.

use super::client::Client;
use super::error::CliError;
use super::graph::{self, BuiltGraph};
use super::{blame, output};
use crate::api::{
    self, DatasetImpact, DeadlineAtRisk, DiffView, ImpactRequest, JobDiff, SourcesRequest, StaleView,
};
use crate::app::blame::{blame as changed_files, SourceManifest};
use crate::app::{differences, estimate};
use crate::os::read_given;
use databuild_core::graph::diff::{diff, Difference, GraphDiff};
use databuild_core::graph::file::{GraphFile, JobEntry};
use databuild_core::ids::GraphId;
use std::collections::BTreeMap;

/// Indent of the lines below a job.
const INDENT: &str = "           ";

/// Where the base comes from.
pub enum Base {
    /// A graph file.
    File(BuiltGraph),
    /// A server, which has the graph with this content.
    Server(Client, String),
}

/// What differs.
pub struct Compared {
    /// As it is told.
    pub view: DiffView,
    /// The graphs declare the same.
    pub same: bool,
}

impl Compared {
    /// Prints it.
    pub fn print(&self) {
        print(&self.view, self.same);
    }
}

/// Compares two graphs.
///
/// # Errors
/// One of them cannot be read, or the server does not answer.
pub fn compare(base: &Base, head: &BuiltGraph) -> Result<Compared, CliError> {
    // Reading the two files is most of the work.
    let (of_head, of_base) = std::thread::scope(|scope| {
        let of_head = scope.spawn(|| with_id(head.parse(), head.content()));
        let of_base = match base {
            Base::File(built) => with_id(built.parse(), built.content()),
            Base::Server(_, content) => with_id(graph::parse_content(content, "the server's graph"), content),
        };
        (of_head.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), of_base)
    });
    let (of_head, of_base) = (of_head?, of_base?);
    let found = diff(&of_base.0, &of_head.0);
    let manifests = base_manifests(base, &of_base, &found)?;
    let files = |job: &Difference| {
        let then = manifests.get(differences::label_before(job))?;
        Some(changed_files(then, &head_manifest(head, &of_head.0, &job.name)?))
    };
    let view = DiffView {
        stale: stale(base, &of_base.1, head, &of_head.0)?,
        ..differences::view(&of_base, &of_head, &found, files)
    };
    Ok(Compared { view, same: found.is_empty() })
}

/// A graph file with its id.
fn with_id(file: Result<GraphFile, CliError>, content: &str) -> Result<differences::Side, CliError> {
    Ok((file?, GraphId::of(content)))
}

/// Source manifests that the base has of jobs whose code changed.
fn base_manifests(
    base: &Base,
    (file, id): &differences::Side,
    found: &GraphDiff,
) -> Result<BTreeMap<String, SourceManifest>, CliError> {
    let label = |job: &Difference| differences::label_before(job).to_owned();
    let labels: Vec<String> = differences::to_blame(found).map(label).collect();
    if labels.is_empty() {
        return Ok(BTreeMap::new());
    }
    match base {
        Base::File(built) => {
            let read = |label: String| Some((label.clone(), head_manifest(built, file, &label)?));
            Ok(labels.into_iter().filter_map(read).collect())
        }
        Base::Server(client, _) => {
            let request = SourcesRequest { jobs: labels };
            let texts: BTreeMap<String, String> =
                client.post(&format!("/api/v1/graphs/{}/sources", id.0), &request)?;
            let parse =
                |(label, text): (String, String)| Some((label, SourceManifest::parse(text.as_bytes())?));
            Ok(texts.into_iter().filter_map(parse).collect())
        }
    }
}

/// A job's source manifest among the runfiles beside a graph file, if it is there.
fn head_manifest(built: &BuiltGraph, file: &GraphFile, label: &str) -> Option<SourceManifest> {
    let job: &JobEntry = file.jobs.iter().find(|job| job.label == label)?;
    SourceManifest::parse(&read_given(&built.runfiles().join(&job.sources), graph::MOST_MANIFEST).ok()?)
}

/// What the head would make stale, if the base is what a server follows.
fn stale(
    base: &Base,
    base_id: &GraphId,
    head: &BuiltGraph,
    file: &GraphFile,
) -> Result<Option<StaleView>, CliError> {
    let Base::Server(client, _) = base else { return Ok(None) };
    let now: api::GraphId = client.get("/api/v1/graph/id")?;
    if now.graph.as_ref() != Some(&base_id.0) {
        return Ok(None);
    }
    let request = ImpactRequest { content: head.content().to_owned(), inherited: graph::inherited(file) };
    client.post("/api/v1/graphs/impact", &request).map(Some)
}

fn print(view: &DiffView, same: bool) {
    if same {
        let short = |id: &str| id.get(..8).unwrap_or(id).to_owned();
        output::line(&format!(
            "{} and {} have the same jobs, datasets, checks, schedules and pools",
            short(&view.base),
            short(&view.head)
        ));
    }
    view.jobs.iter().for_each(print_job);
    let what = |what: &[String]| match what {
        [] => String::new(),
        what => format!("  {}", what.join(", ")),
    };
    for dataset in &view.datasets {
        let from = from(dataset.from.as_deref());
        let what = what(&dataset.what);
        output::line(&format!("{:<8} dataset {}{from}{what}", dataset.change, dataset.dataset));
    }
    for check in &view.checks {
        output::line(&format!("{:<8} check {}{}", check.change, check.check, what(&check.what)));
    }
    for schedule in &view.schedules {
        let what = what(&schedule.what);
        output::line(&format!("{:<8} schedule {}{what}", schedule.change, schedule.schedule));
    }
    for pool in &view.pools {
        let slots = match (pool.before, pool.now) {
            (Some(before), Some(now)) => format!("slots {before} -> {now}"),
            (before, now) => output::count(u64::from(before.or(now).unwrap_or_default()), "slot"),
        };
        output::line(&format!("{:<8} pool {}  {slots}", pool.change, pool.pool));
    }
    for moved in &view.moved {
        let dataset = moved.dataset.as_ref().map(|dataset| format!("{dataset}: ")).unwrap_or_default();
        output::line(&format!(
            "{:<8} moved {} {dataset}{} -> {}",
            moved.change, moved.kind, moved.from, moved.to
        ));
    }
    for variable in view.stale.iter().flat_map(|stale| &stale.variables) {
        output::line(&format!("changed  variable {variable}  value"));
    }
    view.stale.iter().for_each(print_stale);
}

/// What something was called.
fn from(name: Option<&str>) -> String {
    name.map(|name| format!(" from {name}")).unwrap_or_default()
}

/// Prints how a job differs, and the files that explain it.
fn print_job(job: &JobDiff) {
    let what = if job.what.is_empty() { String::new() } else { format!("  {}", job.what.join(", ")) };
    output::line(&format!("{:<8} {}{}{what}", job.change, job.job, from(job.from.as_deref())));
    job.args.iter().for_each(|change| output::line(&format!("{INDENT}{change}")));
    let Some(files) = &job.files else { return };
    if files.is_empty() {
        output::line("           no source file explains it: a tool, a toolchain or a generated file");
    }
    blame::lines(files, INDENT).iter().for_each(|line| output::line(line));
}

/// Prints what would be stale.
fn print_stale(stale: &StaleView) {
    let downstream: u64 = stale.datasets.iter().map(|dataset| dataset.downstream).sum();
    let more = match downstream {
        0 => String::new(),
        more => format!(", {more} more if upstream changes"),
    };
    let already = |count: u64| match count {
        0 => String::new(),
        count => format!("; {count} {} stale already", output::are(count)),
    };
    let certain = output::count(stale.partitions - downstream, "partition");
    output::line(&format!(
        "{certain} that {} current would be stale{more}{}",
        output::are(stale.partitions - downstream),
        already(stale.already)
    ));
    if let Some(estimate) = &stale.estimate {
        output::line(&format!("  building them anew {}", estimate::takes(estimate)));
    }
    let touched = |dataset: &&DatasetImpact| dataset.stale + dataset.downstream + dataset.already > 0;
    for dataset in stale.datasets.iter().filter(touched) {
        let downstream = match dataset.downstream {
            0 => String::new(),
            count => format!(", {count} more if upstream changes"),
        };
        let already = already(dataset.already);
        output::line(&format!("  {}: {}{downstream}{already}", dataset.dataset, dataset.stale));
    }
    for DeadlineAtRisk { want, due_at, ends_at } in &stale.deadlines {
        let (due, ends) = (output::time(due_at), output::time(ends_at));
        output::line(&format!("{want} would be late: it is due at {due}, and may end at {ends}"));
    }
    if stale.lost > 0 {
        output::line(&format!(
            "{} would lose their history; declare `moved` for what was renamed",
            output::count(stale.lost, "built partition")
        ));
        for dataset in stale.datasets.iter().filter(|dataset| dataset.lost > 0) {
            output::line(&format!("  {}: {}", dataset.dataset, dataset.lost));
        }
    }
}
