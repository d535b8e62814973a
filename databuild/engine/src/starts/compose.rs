//! Writes the request of an attempt that is about to start.

use crate::attempt::request::{InputFile, OutputFile, Request, FORMAT};
use crate::attempt::staging::{self, Staging};
use crate::history::History;
use crate::looks::files::is_remote;
use crate::publish::{self, Imprint, PublishError, StatMark};
use databuild_core::decide::AttemptSpec;
use databuild_core::graph::{Dataset, DatasetIx, Job};
use databuild_core::observation::Blind;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Marks of the files of inputs, by the dataset of an attempt's graph.
pub(crate) type Marks = HashMap<(DatasetIx, PartitionKey), StatMark>;

/// Why a request cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The history cannot be read.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// An input is not what the state says.
    #[error("its input {0} was changed before it started")]
    Moved(String),
    /// Nobody can say what an input is.
    #[error("its input {partition} could not be observed: {message}")]
    Unknown {
        /// Which.
        partition: String,
        /// Why, and what to do.
        message: String,
    },
}

/// Builds the request of an attempt that is about to start.
pub(crate) fn build(
    spec: &AttemptSpec,
    state: &State,
    workspace: &Path,
    staging: &Staging,
    history: History<'_>,
    marks: &Marks,
) -> Result<Request, BuildError> {
    let (graph, symbols) = (&spec.graph.graph, state.symbols());
    let job = graph.job(spec.job);
    let keys = graph.home(spec.job).in_order(&spec.set, symbols);
    let outputs_of = |key: &PartitionKey| -> Vec<OutputFile> {
        let outputs = job.outputs.iter().enumerate();
        outputs.map(|(index, ix)| output(spec, symbols, workspace, staging, index, *ix, key)).collect()
    };
    let outputs = keys.iter().flat_map(outputs_of).collect();
    let mut read = Inputs { spec, state, workspace, history, marks, changed_at: None };
    let mut inputs = BTreeMap::new();
    for (name, ix, set) in &spec.inputs {
        let set = graph.dataset(*ix).in_order(set, symbols);
        let files = set.iter().map(|key| read.input(*ix, key)).collect::<Result<_, _>>()?;
        inputs.insert(name.clone(), files);
    }
    let discovered =
        spec.discovered.iter().map(|(ix, key)| read.input(*ix, key)).collect::<Result<_, _>>()?;
    Ok(Request {
        format: FORMAT,
        run: spec.attempt.run.to_string(),
        attempt: spec.attempt.number,
        job: job.label.clone(),
        as_of: spec.as_of.to_string(),
        params: spec.params.clone(),
        batch: job.batch.is_some(),
        outputs,
        inputs,
        discovered,
        wants: spec.wants.iter().map(ToString::to_string).collect(),
        adds_keys: job.adds_keys.clone(),
        changed_at: read.changed_at,
    })
}

/// Where the job is to put one partition of its output at `index`.
fn output(
    spec: &AttemptSpec,
    symbols: &Symbols,
    workspace: &Path,
    staging: &Staging,
    index: usize,
    ix: DatasetIx,
    key: &PartitionKey,
) -> OutputFile {
    let graph = &spec.graph.graph;
    let dataset = graph.dataset(ix);
    let partition = dataset.partition_text(key, symbols);
    let final_path = dataset.partition_path(key, symbols).map(|path| workspace.join(path));
    let slot = staging::slot(graph.job(spec.job), index, &partition);
    let attempt = spec.attempt.to_string();
    OutputFile {
        dataset: dataset.name.clone(),
        keys: keys(dataset, key, symbols),
        path: final_path.as_ref().map(|path| staging.path(&attempt, &slot, path)),
        final_path,
        partition,
    }
}

/// Looks at what an attempt is about to read.
struct Inputs<'a> {
    spec: &'a AttemptSpec,
    state: &'a State,
    workspace: &'a Path,
    history: History<'a>,
    marks: &'a Marks,
    /// When the file of an input was changed last.
    changed_at: Option<i64>,
}

/// The files of an input as they are now.
struct InputNow {
    imprint: Imprint,
    /// By which it was known before.
    mark: StatMark,
    /// Of a pattern: the folder of all that match, and they.
    matching: Option<(PathBuf, Vec<PathBuf>)>,
}

impl Inputs<'_> {
    /// One partition, which must be what the state says.
    fn input(&mut self, ix: DatasetIx, key: &PartitionKey) -> Result<InputFile, BuildError> {
        let (graph, symbols) = (&self.spec.graph.graph, self.state.symbols());
        let dataset = graph.dataset(ix);
        let partition = dataset.partition_text(key, symbols);
        // What the state says is what the attempt was leased for; others may have had the text since.
        let made = match self.state.holding_in(graph, ix, key) {
            None => None,
            // The state may know of a later turn, which is not in the log yet.
            Some(holding) => match self.history.held(&holding)? {
                None => return Err(BuildError::Moved(partition)),
                held => held,
            },
        };
        let path = dataset.partition_path(key, symbols).map(|path| self.workspace.join(path));
        let empty = made.as_ref().is_some_and(|made| made.empty);
        let found = match (&path, dataset.partition_pattern(key, symbols)) {
            (Some(path), _) if !empty => Some(at_path(path, &partition)?),
            (_, Some(pattern)) => Some(self.matching(&pattern, &partition)?),
            _ => None,
        };
        // What the graph of today has elsewhere was not looked at. The mark of what others tell is that of their answer,
        // whatever file is beside it.
        let known = self.marks.get(&(ix, key.clone())).copied().filter(|_| !is_remote(graph, ix));
        let touched = found.as_ref().zip(known).is_some_and(|(found, known)| found.mark != known);
        let imprint = found.as_ref().map(|found| found.imprint);
        self.changed_at = self.changed_at.max(imprint.map(|imprint| imprint.changed_at));
        let (base, paths) = found.and_then(|found| found.matching).unzip();
        let file = InputFile {
            dataset: dataset.name.clone(),
            keys: keys(dataset, key, symbols),
            path,
            paths,
            base,
            mark: imprint.map(|imprint| format!("{:016x}", imprint.body)),
            change_mark: imprint.map(|imprint| format!("{:016x}", imprint.mark.0)),
            url: dataset.partition_url(key, symbols),
            version: made.as_ref().map(|made| made.version.clone()),
            empty,
            metadata: made
                .and_then(|made| serde_json::from_str(&made.metadata).ok())
                .unwrap_or_else(|| serde_json::json!({})),
            partition,
        };
        // Other jobs make links to what they read. If it holds the same, this attempt can be held against what it is now.
        if touched && !file.holds_its_version() {
            return Err(BuildError::Moved(file.partition));
        }
        Ok(file)
    }

    fn matching(&self, pattern: &str, partition: &str) -> Result<InputNow, BuildError> {
        let found = publish::matching(self.workspace, pattern).map_err(|error| unknown(partition, error))?;
        Ok(InputNow { imprint: found.imprint, mark: found.mark, matching: Some((found.base, found.paths)) })
    }
}

fn at_path(path: &Path, partition: &str) -> Result<InputNow, BuildError> {
    let found = publish::imprint(path)
        .map_err(|error| unknown(partition, PublishError::io("look at", path, error)))?;
    let imprint = found.ok_or_else(|| BuildError::Moved(partition.to_owned()))?;
    Ok(InputNow { imprint, mark: imprint.mark, matching: None })
}

fn unknown(partition: &str, error: PublishError) -> BuildError {
    BuildError::Unknown { partition: partition.to_owned(), message: Blind::from(error).message }
}

fn keys(dataset: &Dataset, key: &PartitionKey, symbols: &Symbols) -> BTreeMap<String, String> {
    dataset.key_texts(key, symbols).into_iter().collect()
}

/// Arguments of a job with its templates filled in.
///
/// # Errors
/// A hole that cannot be filled for this run: `{input:x}` where `x` is not exactly one file.
pub(crate) fn arguments(job: &Job, request: &Request) -> Result<Vec<String>, String> {
    let path_text = |path: &PathBuf| path.to_string_lossy().into_owned();
    job.program
        .args
        .iter()
        .map(|template| {
            template
                .render(|name, argument| {
                    let text = match (name, argument) {
                        ("path", None) => request.outputs.first()?.path.as_ref().map(path_text)?,
                        ("path", Some(dataset)) => {
                            let output = request.outputs.iter().find(|output| output.dataset == dataset)?;
                            output.path.as_ref().map(path_text)?
                        }
                        ("input", Some(input)) => match request.inputs.get(input)?.as_slice() {
                            [only] => only.only_path().map(path_text)?,
                            _ => return None,
                        },
                        ("param", Some(param)) => request.params.get(param)?.clone(),
                        (dim, None) => request.outputs.first()?.keys.get(dim)?.clone(),
                        _ => return None,
                    };
                    Some(text.into())
                })
                .map_err(|hole| {
                    format!(
                        "{}: {hole} in `args`; `{{input:NAME}}` needs an input of exactly one file",
                        job.label
                    )
                })
        })
        .collect()
}
