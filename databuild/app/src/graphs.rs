//! The job graph: registered, read, and tried out.

use super::blame::{blame, SourceManifest};
use super::context::{Backend, Context};
use super::registrations::Told;
use super::words::{cursor, limit, page};
use super::{contents, differences, estimate, garbage, AppError};
use crate::api::{
    self, DatasetImpact, DeadlineAtRisk, Deployment, DiffQuery, DiffView, GraphDetail, GraphId,
    ImpactRequest, ListQuery, Page, RegisterReply, RegisterRequest, SourcesRequest, StaleView,
};
use crate::engine::{Foreseen, Registration};
use crate::store::{Answer, GraphRow, History, Listed};
use databuild_core::decide::{Impact, Leave, Left, Refusal};
use databuild_core::event::GraphRegistered;
use databuild_core::graph::diff;
use databuild_core::graph::{parse_file, Graph, Registered};
use databuild_core::ids::{self, Seq, WantId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Registrations that are looked through for the one before.
const MOST_LOOKED_AT: usize = 1000;

/// Registers a graph.
///
/// # Errors
/// The graph is invalid; what it names is not there; the client stored code in another place; nobody deploys it, and only that
/// changes the graph.
pub async fn register(context: &impl Context, body: RegisterRequest) -> Result<RegisterReply, AppError> {
    let RegisterRequest { content, sources, inherited, code_store, deploy } = body;
    let backend = context.backend();
    let leave = match (deploy, backend.setup.only_deploy) {
        (Some(Deployment { instead_of }), _) => {
            Leave::Deployment { instead_of: instead_of.map(ids::GraphId) }
        }
        (None, true) => Leave::Nothing,
        (None, false) => Leave::QuietGraph,
    };
    if let Some(other) = code_store.filter(|root| !is_ours(backend, root)) {
        let message = format!(
            "the code was stored in {other}, and the server looks for it in {}: set XDG_CACHE_HOME and HOME as for \
             the server, or start it anew (databuild stop)",
            backend.snapshots.root().display()
        );
        return Err(AppError::new("code_store_differs", message));
    }
    let sources = contents::all_there(context, sources).await?;
    let registration = Registration { content, sources, inherited, leave };
    let (graph, changed) = backend.engine.register(registration).await?;
    // Before anything relies on the new snapshots: another workspace's gc must not take them.
    context.slow(|backend, _| Ok(garbage::write_roots(backend)?)).await?;
    Ok(RegisterReply { graph: graph.to_string(), changed })
}

/// Whether a folder is the server's code store, by whatever path.
fn is_ours(backend: &Backend, root: &str) -> bool {
    let ours = backend.snapshots.root();
    let real = |path: &Path| path.canonicalize().ok();
    Path::new(root) == ours || real(root.as_ref()).is_some_and(|other| Some(other) == real(ours))
}

/// The graph file as it was registered.
///
/// # Errors
/// No graph is registered.
pub async fn current(context: &impl Context) -> Result<Vec<u8>, AppError> {
    let none = || AppError::new("no_graph", "no graph is registered yet");
    let registered = context.backend().engine.snapshot().state.followed().map(|graph| graph.id.clone());
    let id = registered.ok_or_else(none)?;
    context.quick(move |_, reader| reader.content(&id.0)?.ok_or_else(none)).await
}

/// What a client asks before it stores and registers its own.
pub fn id(context: &impl Context) -> GraphId {
    let backend = context.backend();
    let snapshot = backend.engine.snapshot();
    let followed = snapshot.state.followed();
    let is_active = followed.is_some_and(|registered| registered.graph.starts_by_itself());
    GraphId {
        graph: followed.map(|registered| registered.id.to_string()),
        only_deploy: is_active || backend.setup.only_deploy,
    }
}

/// Registrations of graphs, newest first.
///
/// # Errors
/// A bad query.
pub async fn list(context: &impl Context, query: ListQuery) -> Result<Page<api::GraphRow>, AppError> {
    let before = cursor::<u64>(query.cursor.as_deref())?.map(Seq);
    let limit = limit(query.limit)?;
    let listed = context.slow(move |backend, reader| {
        let found = reader.graphs(before, limit)?;
        let rows = found.value;
        let earlier = rows.last().map(|last| earlier(reader, last)).transpose()?.flatten();
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.seq.0);
        let told = backend.registrations.told(reader, &rows, earlier.as_ref())?;
        let rows = rows.into_iter().zip(told).map(|(graph, told)| {
            let row = row(backend, &graph, told);
            (graph.seq.0, row)
        });
        let rows = rows.collect();
        let listed = Answer { value: Listed { rows, next }, last_seq: found.last_seq };
        Ok(page(listed, |row| row.0, |row| row.1, |seq| seq))
    });
    listed.await
}

/// A registered graph, with what is in it.
///
/// # Errors
/// No such graph.
pub async fn detail(context: &impl Context, id: String) -> Result<GraphDetail, AppError> {
    context.quick(move |backend, reader| detail_of(backend, reader, &find(reader, &id)?)).await
}

fn detail_of(backend: &Backend, reader: &dyn History, graph: &GraphRow) -> Result<GraphDetail, AppError> {
    let content = reader.content(&graph.id.0)?;
    let content = content.ok_or_else(|| AppError::not_found("graph_not_found", "graph", &graph.id))?;
    let file: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
    let audience = &backend.audience;
    let is_seen = |name: &serde_json::Value| name.as_str().is_some_and(|name| audience.sees_name(name));
    let all = |part: &str| file[part].as_array().into_iter().flatten();
    let makes =
        |job: &serde_json::Value| job["outputs"].as_array().is_some_and(|made| made.iter().all(is_seen));
    let text = |text: &serde_json::Value| text.as_str().map(str::to_owned);
    let names = all("datasets").map(|one| &one["name"]).filter(|name| is_seen(name));
    Ok(GraphDetail {
        jobs: all("jobs").filter(|job| makes(job)).filter_map(|job| text(&job["label"])).collect(),
        datasets: names.filter_map(text).collect(),
        graph: row_of(backend, reader, graph)?,
        seq: backend.engine.snapshot().state.seq().0,
    })
}

/// The registration before another one.
fn earlier(reader: &dyn History, graph: &GraphRow) -> Result<Option<GraphRow>, AppError> {
    Ok(reader.graphs(Some(graph.seq), 1)?.value.into_iter().next())
}

fn row_of(backend: &Backend, reader: &dyn History, graph: &GraphRow) -> Result<api::GraphRow, AppError> {
    let earlier = earlier(reader, graph)?;
    let told = backend.registrations.told(reader, std::slice::from_ref(graph), earlier.as_ref())?;
    Ok(row(backend, graph, told.into_iter().next().unwrap_or_default()))
}

fn row(backend: &Backend, graph: &GraphRow, Told { size, change, by }: Told) -> api::GraphRow {
    let snapshot = backend.engine.snapshot();
    let current = snapshot.state.followed().is_some_and(|followed| followed.id == graph.id);
    let (number, id, at) = (graph.seq.0, graph.id.to_string(), graph.at.to_string());
    // They count what is not seen, too.
    let (size, change) = if backend.audience.sees_all() { (size, change) } else { (None, None) };
    let (job_count, dataset_count) = size.unzip();
    api::GraphRow { number, id, at, by, current, job_count, dataset_count, change }
}

/// A registered graph by the beginning of its digest, by the number of its registration, or the `latest`.
fn find(reader: &dyn History, id: &str) -> Result<GraphRow, AppError> {
    let unknown = || AppError::not_found("graph_not_found", "graph", id);
    let newest = |before| Ok::<_, AppError>(reader.graphs(before, 1)?.value.into_iter().next());
    if id == "latest" {
        return newest(None)?.ok_or_else(unknown);
    }
    if let Some(number) = id.parse().ok().map(Seq) {
        let numbered = newest(Some(number.next()))?.filter(|graph| graph.seq == number);
        // A digest may have no letter at its beginning.
        if let Some(graph) = numbered {
            return Ok(graph);
        }
    }
    let plausible = id.len() >= 4 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !plausible {
        return Err(unknown());
    }
    reader.graph_beginning(id)?.value.ok_or_else(unknown)
}

/// A graph file that was registered once, by at least four digits of its digest.
///
/// # Errors
/// No such graph.
pub async fn get(context: &impl Context, id: String) -> Result<Vec<u8>, AppError> {
    let content = context.quick(move |_, reader| {
        let content = reader.content(&find(reader, &id)?.id.0)?;
        content.ok_or_else(|| AppError::not_found("graph_not_found", "graph", &id))
    });
    content.await
}

/// Source manifests of some jobs of a graph, by label.
///
/// # Errors
/// No such graph.
pub async fn sources(
    context: &impl Context,
    id: String,
    body: SourcesRequest,
) -> Result<BTreeMap<String, String>, AppError> {
    let SourcesRequest { jobs } = body;
    let found = context.slow(move |_, reader| {
        let row = find(reader, &id)?;
        let mut found = BTreeMap::new();
        for job in jobs {
            let Some(digest) = row.sources.get(&job) else { continue };
            if let Some(bytes) = reader.text(digest)? {
                found.insert(job, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(found)
    });
    found.await
}

/// What differs between two graphs that were registered: `head`, by default the one that new work follows, and `base`, by default the
/// one that was registered before it.
///
/// # Errors
/// No such graph, or none before it.
pub async fn diff(context: &impl Context, query: DiffQuery) -> Result<DiffView, AppError> {
    let DiffQuery { base, head } = query;
    let found = context.slow(move |backend, reader| {
        let followed = || backend.engine.snapshot().state.followed().map(|graph| graph.id.0.clone());
        let head =
            head.or_else(followed).ok_or_else(|| AppError::new("no_graph", "no graph is registered yet"))?;
        let head = find(reader, &head)?;
        let base = match base {
            Some(base) => find(reader, &base)?,
            None => before(reader, &head)?,
        };
        compared(backend, reader, &base, &head)
    });
    found.await
}

/// What a registration changed against an earlier one.
#[derive(Debug)]
pub struct Changed {
    /// The registration.
    pub head: GraphDetail,
    /// The one that it is held against; none if no other graph was registered before.
    pub base: Option<api::GraphRow>,
    /// What differs.
    pub diff: Option<DiffView>,
    /// The event that registered another graph after it; none if new work follows it.
    pub until: Option<u64>,
}

/// A registration, with what it changed against another one, by default the one of another graph before it.
///
/// # Errors
/// No such graph.
pub async fn changed(context: &impl Context, id: String, base: Option<String>) -> Result<Changed, AppError> {
    let found = context.slow(move |backend, reader| {
        let head = find(reader, &id)?;
        let base = match base {
            Some(base) => Some(find(reader, &base)?),
            None => before(reader, &head).ok(),
        };
        Ok(Changed {
            diff: base.as_ref().map(|base| compared(backend, reader, base, &head)).transpose()?,
            base: base.as_ref().map(|base| row_of(backend, reader, base)).transpose()?,
            until: after(reader, &head)?.map(|row| row.seq.0),
            head: detail_of(backend, reader, &head)?,
        })
    });
    found.await
}

fn compared(
    backend: &Backend,
    reader: &dyn History,
    base: &GraphRow,
    head: &GraphRow,
) -> Result<DiffView, AppError> {
    let (of_base, of_head) = (side(reader, base)?, side(reader, head)?);
    let found = diff::diff(&of_base.0, &of_head.0);
    let mut files = BTreeMap::new();
    for job in differences::to_blame(&found) {
        let then = manifest(reader, base, differences::label_before(job))?;
        let now = manifest(reader, head, &job.name)?;
        files.extend(then.zip(now).map(|(then, now)| (job.name.clone(), blame(&then, &now))));
    }
    let view = differences::view(&of_base, &of_head, &found, |job| files.get(&job.name).cloned());
    Ok(DiffView { stale: stale_since(backend, reader, base, head)?, ..view })
}

/// What a graph made stale since another one, if new work follows it.
fn stale_since(
    backend: &Backend,
    reader: &dyn History,
    base: &GraphRow,
    head: &GraphRow,
) -> Result<Option<StaleView>, AppError> {
    let snapshot = backend.engine.snapshot();
    if snapshot.state.followed().is_none_or(|followed| followed.id != head.id) || base.id == head.id {
        return Ok(None);
    }
    let Some(content) = reader.content(&base.id.0)? else { return Ok(None) };
    let event = GraphRegistered {
        graph: base.id.clone(),
        content: String::from_utf8_lossy(&content).into(),
        inherited: base.inherited.clone(),
        sources: BTreeMap::new(),
    };
    // One that cannot be followed any more tells nothing of what came after it.
    let Ok(found) = backend.engine.impact_since(event) else { return Ok(None) };
    stale_view(backend, reader, found).map(Some)
}

/// The graph that was registered before another one.
fn before(reader: &dyn History, head: &GraphRow) -> Result<GraphRow, AppError> {
    let rows = reader.graphs(None, MOST_LOOKED_AT)?.value;
    let before = rows.into_iter().find(|row| row.seq < head.seq && row.id != head.id);
    before.ok_or_else(|| {
        AppError::new("graph_not_found", "no other graph was registered before this one: name a base")
    })
}

/// The graph that was registered after another one.
fn after(reader: &dyn History, head: &GraphRow) -> Result<Option<GraphRow>, AppError> {
    let rows = reader.graphs(None, MOST_LOOKED_AT)?.value;
    Ok(rows.into_iter().rev().find(|row| row.seq > head.seq && row.id != head.id))
}

/// What a graph that was registered says.
fn side(reader: &dyn History, row: &GraphRow) -> Result<differences::Side, AppError> {
    let content = reader.content(&row.id.0)?;
    let content = content.ok_or_else(|| AppError::not_found("graph_not_found", "graph", &row.id))?;
    let file = parse_file(&String::from_utf8_lossy(&content)).map_err(|problems| {
        Refusal::BadGraph(problems.first().map(ToString::to_string).unwrap_or_default())
    })?;
    Ok((file, row.id.clone()))
}

/// The source manifest of a job of a graph that was registered.
fn manifest(reader: &dyn History, row: &GraphRow, label: &str) -> Result<Option<SourceManifest>, AppError> {
    let Some(digest) = row.sources.get(label) else { return Ok(None) };
    Ok(reader.text(digest)?.and_then(|bytes| SourceManifest::parse(&bytes)))
}

/// What jobs would have to make anew, by label: for certain, and if what is upstream changes. A run makes all outputs of its job.
fn by_job<'g>(found: &BTreeMap<String, Impact>, graph: &'g Graph) -> BTreeMap<&'g str, (u64, u64)> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, impact) in found.iter().filter(|(_, impact)| impact.stale + impact.downstream > 0) {
        let producer = graph.dataset_named(name).and_then(|ix| graph.dataset(ix).producer);
        let Some(job) = producer else { continue };
        let (stale, downstream) = counts.entry(&graph.job(job).label).or_default();
        *stale = (*stale).max(impact.stale);
        *downstream = (*downstream).max(impact.downstream);
    }
    counts
}

/// What a graph would make stale. It is not registered.
///
/// # Errors
/// The graph is invalid, or none is registered.
pub async fn impact(context: &impl Context, body: ImpactRequest) -> Result<StaleView, AppError> {
    let ImpactRequest { content, inherited } = body;
    let view = context.looking(move |backend, reader| {
        let now = backend.engine.snapshot().state.followed().cloned();
        let due = due(backend, reader)?;
        let wants: Vec<WantId> = due.keys().copied().collect();
        let foreseen = backend.engine.impact(content, &inherited, &wants)?;
        let variables = now.as_ref().map(|now| other_values(now, &foreseen.head)).unwrap_or_default();
        let deadlines = match &now {
            Some(now) => deadlines(backend, reader, &foreseen, now, &due)?,
            None => Vec::new(),
        };
        Ok(StaleView { variables, deadlines, ..stale_view(backend, reader, foreseen)? })
    });
    view.await
}

/// Variables that programs of both graphs inherit, and of which they have different values.
fn other_values(now: &Registered, head: &Registered) -> Vec<String> {
    let before = now.graph.inherited_names();
    let names = head.graph.inherited_names().into_iter().filter(|name| before.contains(name));
    names.filter(|name| now.inherited.get(*name) != head.inherited.get(*name)).map(str::to_owned).collect()
}

/// When open wants are due, those that are not late yet.
fn due(backend: &Backend, reader: &dyn History) -> Result<BTreeMap<WantId, Timestamp>, AppError> {
    let now = crate::os::now();
    let mut found = BTreeMap::new();
    for id in backend.engine.snapshot().state.wants().keys() {
        let due = reader.want(*id)?.value.and_then(|want| want.due_at).filter(|due| *due > now);
        found.extend(due.map(|due| (*id, due)));
    }
    Ok(found)
}

/// Open wants that would end in time under the graph of now, and not under the other one. Those that wait in line with them are left
/// out, as in every estimate.
fn deadlines(
    backend: &Backend,
    reader: &dyn History,
    foreseen: &Foreseen,
    followed: &Registered,
    due: &BTreeMap<WantId, Timestamp>,
) -> Result<Vec<DeadlineAtRisk>, AppError> {
    let snapshot = backend.engine.snapshot();
    let now = crate::os::now();
    let ends = |left: &Left, graph: &Graph| -> Result<Timestamp, AppError> {
        let counts = left.iter().map(|(job, count)| (job.as_str(), (*count, 0))).collect();
        let found = estimate::of_jobs(counts, Some(graph), &snapshot.state, snapshot.capacity(), reader)?;
        Ok(now.checked_add(Duration::from_millis(found.high_ms)).unwrap_or(Timestamp::MAX))
    };
    let mut found = Vec::new();
    for (id, (before, after)) in &foreseen.left {
        let Some(due) = due.get(id) else { continue };
        let then = ends(after, &foreseen.head.graph)?;
        if then > *due && ends(before, &followed.graph)? <= *due {
            let (want, due_at, ends_at) = (id.to_string(), due.to_string(), then.to_string());
            found.push(DeadlineAtRisk { want, due_at, ends_at });
        }
    }
    Ok(found)
}

fn stale_view(backend: &Backend, reader: &dyn History, foreseen: Foreseen) -> Result<StaleView, AppError> {
    let Foreseen { datasets: found, head, seq, .. } = foreseen;
    let counts = by_job(&found, &head.graph);
    let snapshot = backend.engine.snapshot();
    let estimate =
        estimate::of_jobs(counts, Some(&head.graph), &snapshot.state, snapshot.capacity(), reader)?;
    let datasets: Vec<DatasetImpact> = found
        .into_iter()
        .map(|(dataset, impact)| DatasetImpact {
            dataset,
            stale: impact.stale,
            downstream: impact.downstream,
            already: impact.already,
            lost: impact.lost,
        })
        .collect();
    let partitions: u64 = datasets.iter().map(|dataset| dataset.stale + dataset.downstream).sum();
    let estimate = (partitions > 0).then_some(estimate);
    let already = datasets.iter().map(|dataset| dataset.already).sum();
    let lost = datasets.iter().map(|dataset| dataset.lost).sum();
    Ok(StaleView {
        partitions,
        already,
        lost,
        variables: Vec::new(),
        deadlines: Vec::new(),
        datasets,
        estimate,
        seq,
    })
}
