//! The graph that Bazel built beside this program: finding it, storing its jobs' code, registering it.

use super::client::Client;
use super::error::CliError;
use super::output;
use super::upload::Upload;
use crate::api::{self, Deployment, GraphRow, Page, RegisterReply, RegisterRequest};
use crate::os::{read_given, EnvValue};
use crate::snapshot::{CodeManifest, SnapshotError, Store};
use databuild_core::graph::file::GraphFile;
use databuild_core::graph::parse_file;
use databuild_core::ids::GraphId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of a graph file, at most: no request can be larger.
const MOST_GRAPH: u64 = 64 << 20;
/// Bytes of a manifest of code or sources, at most: some million files.
pub const MOST_MANIFEST: u64 = 256 << 20;

/// A graph file with the runfiles it speaks of.
pub struct BuiltGraph {
    content: String,
    path: PathBuf,
    runfiles: PathBuf,
}

impl BuiltGraph {
    /// A graph file; what it speaks of is looked for beside it, in `NAME.runfiles` of `NAME.graph.json`, and
    /// else in the runfiles that it is in itself.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<BuiltGraph, CliError> {
        let unreadable =
            |error: std::io::Error| CliError::new("graph_unreadable", format!("{}: {error}", path.display()));
        let content = read_given(path, MOST_GRAPH).map_err(unreadable)?;
        let content =
            String::from_utf8(content).map_err(|_| unreadable(std::io::Error::other("it is not UTF-8")))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = name.strip_suffix(".graph.json").or_else(|| name.strip_suffix(".json")).unwrap_or(&name);
        let runfiles = runfiles_of(&path.with_file_name(stem));
        Ok(BuiltGraph { content, path: path.to_owned(), runfiles })
    }

    /// The file as it is.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Its digest.
    pub fn id(&self) -> GraphId {
        GraphId::of(&self.content)
    }

    /// Where the runfiles are, if they are.
    pub fn runfiles(&self) -> &Path {
        &self.runfiles
    }

    /// What the file says.
    ///
    /// # Errors
    /// It is no graph file of this format.
    pub fn parse(&self) -> Result<GraphFile, CliError> {
        parse_content(&self.content, &self.path.display().to_string())
    }
}

/// Finds the graph this program was built with; none when it runs by itself (from the shim, say).
///
/// `bazel run` and `bazel-bin/databuild` call a link that has the graph and the runfiles beside it. Links
/// are followed one at a time, as runfiles libraries do, since a user may call through one of his own.
///
/// # Errors
/// There is a graph file and it cannot be read.
pub fn find() -> Result<Option<BuiltGraph>, CliError> {
    let Some(mut at) = std::env::args_os().next().map(PathBuf::from) else { return Ok(None) };
    if at.components().count() == 1 {
        // Found through PATH: not built by Bazel in place.
        return Ok(None);
    }
    for _ in 0..40 {
        let graph = beside(&at, ".graph.json");
        if graph.is_file() {
            return BuiltGraph::read(&graph).map(Some);
        }
        match std::fs::read_link(&at) {
            Ok(next) => at = at.parent().map(|parent| parent.join(&next)).unwrap_or(next),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// The graph in a file that was named, or else the one this program was built with.
///
/// # Errors
/// It cannot be read, or there is none.
pub fn named_or_found(file: Option<&Path>) -> Result<BuiltGraph, CliError> {
    match file {
        Some(path) => BuiltGraph::read(path),
        None => find()?.ok_or_else(|| {
            CliError::new("no_head", "this program has no graph beside it")
                .hint("run it through Bazel, or name a graph file: --head FILE")
        }),
    }
}

/// The runfiles folder beside the program; of a program that is a runfile itself (of a test, say) the one it is in.
fn runfiles_of(program: &Path) -> PathBuf {
    let own = beside(program, ".runfiles");
    if own.is_dir() {
        return own;
    }
    let around = program.ancestors().skip(1).find(|dir| dir.extension().is_some_and(|end| end == "runfiles"));
    around.map(Path::to_owned).unwrap_or(own)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Registers the graph for a command that works with it, unless only a deployment may put it in the place of the one that the server
/// follows: then the command works with that one, and this says so.
///
/// # Errors
/// The graph is refused, or its code cannot be stored; or none is deployed where only that brings one.
pub fn bring(client: &Client, store: &Store, built: &BuiltGraph) -> Result<(), CliError> {
    let now: api::GraphId = client.get("/api/v1/graph/id")?;
    if now.only_deploy && now.graph.as_ref().is_some_and(|id| *id != built.id().0) {
        return tell_of_other(client, "the graph just built differs");
    }
    match register(client, store, built, &now, None) {
        Ok(_) => Ok(()),
        Err(error) if error.code() == "deploy_needed" => match now.graph {
            Some(id) if id == built.id().0 => {
                tell_of_other(client, "variables that it inherits have other values now")
            }
            Some(_) => tell_of_other(client, "the graph just built differs"),
            None => Err(error.hint("deploy the graph: bazel run //:databuild -- deploy")),
        },
        Err(error) => Err(error),
    }
}

/// Says so if the server follows another graph than the one that was built with this program.
///
/// # Errors
/// The server does not answer.
pub fn compare(client: &Client, built: &BuiltGraph) -> Result<(), CliError> {
    let now: api::GraphId = client.get("/api/v1/graph/id")?;
    match now.graph {
        Some(id) if id != built.id().0 => tell_of_other(client, "the graph just built differs"),
        _ => Ok(()),
    }
}

/// Says which graph a command works with, and why not with the one that was built with this program.
fn tell_of_other(client: &Client, differs: &str) -> Result<(), CliError> {
    let Some(now) = followed(client)? else { return Ok(()) };
    let by = now.by.map(|by| format!(" by {by}")).unwrap_or_default();
    output::talk(&format!(
        "using graph #{}, registered {}{by}; {differs}, and `databuild deploy` makes it current",
        now.number,
        output::time(&now.at)
    ));
    Ok(())
}

/// The registration that new work follows.
///
/// # Errors
/// The server does not answer.
pub fn followed(client: &Client) -> Result<Option<GraphRow>, CliError> {
    let newest: Page<GraphRow> = client.get("/api/v1/graphs?limit=1")?;
    Ok(newest.data.into_iter().next())
}

/// Registers the graph, unless the server, which follows `now`, follows it already. A graph with programs that inherit variables is
/// registered each time: their values belong to it, and so does that a variable is not set.
/// All code is stored first: a server never learns of a graph whose code may vanish.
/// Returns whether new work follows another graph from now on.
///
/// # Errors
/// The graph is refused, or its code cannot be stored.
pub fn register(
    client: &Client,
    store: &Store,
    built: &BuiltGraph,
    now: &api::GraphId,
    deploy: Option<Deployment>,
) -> Result<bool, CliError> {
    let file = built.parse()?;
    let known = now.graph.as_ref() == Some(&built.id().0);
    let inherits = file.programs().any(|(_, program)| !program.env_inherit.is_empty());
    if known && !inherits && is_stored(store, &file) {
        return Ok(false);
    }
    let inherited = inherited(&file);
    store_code(store, built, &file)?;
    let sources = send_sources(client, built, &file)?;
    let code_store = Some(store.root().display().to_string());
    let content = built.content.clone();
    let mut request = RegisterRequest { content, sources, inherited, code_store, deploy };
    let reply: RegisterReply = match client.post("/api/v1/graphs", &request) {
        // What no graph named yet, the server may have thrown away.
        Err(error) if error.code() == "sources_missing" => {
            request.sources = send_sources(client, built, &file)?;
            client.post("/api/v1/graphs", &request)?
        }
        reply => reply?,
    };
    if reply.changed {
        let jobs = output::count(file.jobs.len() as u64, "job");
        let schedules = match file.schedules.len() as u64 {
            0 => String::new(),
            count => format!(", {}", output::count(count, "schedule")),
        };
        output::talk(&format!("registered graph {} ({jobs}{schedules})", built.id().short()));
    }
    Ok(reply.changed)
}

/// Whether the code of all jobs and checks is still in the store; a user may empty caches.
fn is_stored(store: &Store, file: &GraphFile) -> bool {
    let stored = |code: &str| code.parse().is_ok_and(|code| matches!(store.find(&code), Ok(Some(_))));
    file.programs().all(|(_, program)| program.code.as_deref().is_some_and(stored))
}

/// What a graph file says; `from` is where it is from.
///
/// # Errors
/// It is no graph file of this format.
pub fn parse_content(content: &str, from: &str) -> Result<GraphFile, CliError> {
    parse_file(content).map_err(|problems| {
        let text = problems.first().map(ToString::to_string).unwrap_or_default();
        CliError::new("graph_invalid", format!("{from}: {text}"))
    })
}

/// Values of the environment that programs of a graph inherit. A variable that is not set has none.
pub fn inherited(file: &GraphFile) -> BTreeMap<String, EnvValue> {
    file.programs()
        .flat_map(|(_, program)| &program.env_inherit)
        .filter_map(|name| Some((name.clone(), std::env::var_os(name)?.into())))
        .collect()
}

/// Sends the jobs' source manifests, as far as the server lacks them; returns their digests by label.
fn send_sources(
    client: &Client,
    built: &BuiltGraph,
    file: &GraphFile,
) -> Result<BTreeMap<String, String>, CliError> {
    let mut upload = Upload::new(client);
    let mut sources = BTreeMap::new();
    let begun = Instant::now();
    let mut told = false;
    for job in &file.jobs {
        if !told && begun.elapsed() > Duration::from_secs(1) {
            told = true;
            output::talk(&format!(
                "sending the lists of sources of {}",
                output::count(file.jobs.len() as u64, "job")
            ));
        }
        if let Ok(text) = String::from_utf8(read_runfile(built, &job.label, &job.sources)?) {
            sources.insert(job.label.clone(), upload.add(&text)?);
        }
    }
    upload.finish()?;
    Ok(sources)
}

fn read_runfile(built: &BuiltGraph, label: &str, runfile: &str) -> Result<Vec<u8>, CliError> {
    let path = built.runfiles.join(runfile);
    read_given(&path, MOST_MANIFEST).map_err(|error| {
        CliError::new("missing_runfile", format!("{} of {label}: {error}", path.display()))
            .hint("build again: bazel run //:databuild")
    })
}

/// Stores the code of every program.
fn store_code(store: &Store, built: &BuiltGraph, file: &GraphFile) -> Result<(), CliError> {
    let mut copied = 0;
    for (label, program) in file.programs() {
        let manifest = CodeManifest::parse(&read_runfile(built, label, &program.manifest)?)
            .map_err(|error| CliError::new(error.code(), format!("{label}: {error}")))?;
        let taken = store
            .materialize(&manifest, &|runfile: &str| built.runfiles.join(runfile))
            .map_err(|error| snapshot_error(label, &error))?;
        copied += taken.new_files();
    }
    if copied > 0 {
        output::talk(&format!(
            "stored the code of {} ({})",
            output::count(file.programs().count() as u64, "program"),
            output::count(copied, "new file")
        ));
    }
    Ok(())
}

fn snapshot_error(label: &str, error: &SnapshotError) -> CliError {
    CliError::new(error.code(), format!("{label}: {error}"))
        .hint("run the command through Bazel again, so that it builds what is there now")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn graphs_and_manifests_that_never_end_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("/dev/zero", at("x.graph.json")).unwrap();
        let refused = BuiltGraph::read(&at("x.graph.json")).err().unwrap();
        assert_eq!(refused.code(), "graph_unreadable");
        assert!(refused.message().ends_with("it is a device, not a regular file"), "{refused}");
        let huge = std::fs::File::create(at("y.graph.json")).unwrap();
        huge.set_len(MOST_GRAPH + 1).unwrap();
        assert_eq!(BuiltGraph::read(&at("y.graph.json")).err().unwrap().code(), "graph_unreadable");
        std::fs::write(at("z.graph.json"), "{}").unwrap();
        std::fs::create_dir(at("z.runfiles")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let pipe = at("z.runfiles/manifest");
        rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let built = BuiltGraph::read(&at("z.graph.json")).unwrap();
        let refused = read_runfile(&built, "//:job", "manifest").unwrap_err();
        assert_eq!(refused.code(), "missing_runfile");
        assert!(refused.message().ends_with("it is a pipe, not a regular file"), "{refused}");
    }
}
