//! The request: what a job is told, and what the server reads back after a restart to find its outputs.

use super::history::History;
use super::staging::{self, Staging};
use crate::publish::{self, Imprint, PublishError, StatMark};
use databuild_core::decide::AttemptSpec;
use databuild_core::digest::hash64;
use databuild_core::graph::{Dataset, DatasetIx};
use databuild_core::observation::Blind;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Version of the request format, told to jobs.
pub const FORMAT: u32 = 1;

/// The content of `request.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The run.
    pub run: String,
    /// The attempt's number.
    pub attempt: u32,
    /// The job's label.
    pub job: String,
    /// For which instant key spaces were read.
    pub as_of: String,
    /// All parameters of the job with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// The job makes batches: what it says is done counts even if it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
    /// What is to be made: for each partition, one entry for each output of the job.
    pub outputs: Vec<OutputFile>,
    /// What is read, by the job's names for its inputs.
    pub inputs: BTreeMap<String, Vec<InputFile>>,
    /// What attempts before found that they need beside `inputs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discovered: Vec<InputFile>,
    /// Wants that wait for it.
    pub wants: Vec<String>,
    /// Dynamic key spaces that it may add keys to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adds_keys: Vec<String>,
    /// The latest time at which a file of an input was changed, in nanoseconds since 1970. Absent if there is none, and
    /// in requests of versions that did not look at that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<i64>,
}

/// One partition to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Its dataset.
    pub dataset: String,
    /// Its reference.
    pub partition: String,
    /// Its keys by dimension.
    pub keys: BTreeMap<String, String>,
    /// Where to write it; none for what is not a file.
    pub path: Option<PathBuf>,
    /// Where it will be found.
    pub final_path: Option<PathBuf>,
}

/// One partition to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputFile {
    /// Its dataset.
    pub dataset: String,
    /// Its reference.
    pub partition: String,
    /// Its keys by dimension.
    pub keys: BTreeMap<String, String>,
    /// Where it is; none for what is not a file.
    pub path: Option<PathBuf>,
    /// The files that match its pattern; absent unless it is observed by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<PathBuf>>,
    /// The folder to which their names in the data version are relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PathBuf>,
    /// Where it is on the web; absent unless it is observed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its data version.
    pub version: Option<String>,
    /// What the job that made it said of it.
    pub metadata: serde_json::Value,
    /// The job that made it had nothing to produce.
    pub empty: bool,
    /// Of its files, when the attempt started, without their times of change; in hexadecimal digits. Absent for what is
    /// not a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The same with their times of change. By both the server tells whether they are as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_mark: Option<String>,
}

/// Marks of the files of inputs, by the dataset of an attempt's graph.
pub(super) type Marks = HashMap<(DatasetIx, PartitionKey), StatMark>;

/// Why a request cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
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

impl InputFile {
    /// Whether it should be a file and is not there.
    pub(super) fn vanished(&self) -> bool {
        let gone = |path: &PathBuf| !path.exists();
        let all_gone = |paths: &Vec<PathBuf>| paths.is_empty() || paths.iter().any(gone);
        !self.empty && (self.path.as_ref().is_some_and(gone) || self.paths.as_ref().is_some_and(all_gone))
    }

    /// What inodes said of its files but for the times of change.
    pub(super) fn body(&self) -> Option<u64> {
        u64::from_str_radix(self.mark.as_ref()?, 16).ok()
    }

    /// What inodes said of its files when the attempt started; none if a version wrote the request that looked at less.
    pub(super) fn imprint(&self, changed_at: Option<i64>) -> Option<Imprint> {
        let mark = StatMark(u64::from_str_radix(self.change_mark.as_ref()?, 16).ok()?);
        Some(Imprint { mark, body: self.body()?, changed_at: changed_at? })
    }

    /// Whether its files hold what the request says.
    pub(super) fn holds_its_version(&self) -> bool {
        let found = match (&self.path, &self.paths, &self.base) {
            (Some(path), ..) => version_at(path),
            (None, Some(paths), Some(base)) => publish::version_of_files(base, paths).ok(),
            _ => None,
        };
        found.is_some() && found == self.version
    }

    /// Its file, if it is exactly one.
    fn only_path(&self) -> Option<&PathBuf> {
        match self.paths.as_deref() {
            None => self.path.as_ref(),
            Some([only]) => Some(only),
            Some(_) => None,
        }
    }
}

/// Parses a request that this server or one before it wrote.
///
/// # Errors
/// As serde says.
pub fn parse_request(text: &[u8]) -> Result<Request, serde_json::Error> {
    serde_json::from_slice(text)
}

/// Builds the request of an attempt that is about to start.
pub(super) fn build(
    spec: &AttemptSpec,
    state: &State,
    workspace: &Path,
    staging: &Staging,
    history: History<'_>,
    marks: &Marks,
) -> Result<Request, BuildError> {
    let (graph, symbols) = (&spec.graph.graph, &state.symbols);
    let attempt = spec.attempt.to_string();
    let job = graph.job(spec.job);
    let output = |index: usize, ix: DatasetIx, key: &PartitionKey| {
        let dataset = graph.dataset(ix);
        let partition = dataset.partition_text(key, symbols);
        let final_path = dataset.partition_path(key, symbols).map(|path| workspace.join(path));
        let slot = staging::slot(job, index, &partition);
        OutputFile {
            dataset: dataset.name.clone(),
            keys: keys(dataset, key, symbols),
            path: final_path.as_ref().map(|path| staging.path(&attempt, &slot, path)),
            final_path,
            partition,
        }
    };
    let outputs_of = |key: PartitionKey| -> Vec<OutputFile> {
        job.outputs.iter().enumerate().map(|(index, ix)| output(index, *ix, &key)).collect()
    };
    let outputs =
        graph.home(spec.job).in_order(&spec.set, symbols).into_iter().flat_map(outputs_of).collect();
    let changed_at = Cell::new(None);
    let input = |ix: DatasetIx, key: &PartitionKey| -> Result<InputFile, BuildError> {
        let dataset = graph.dataset(ix);
        let partition = dataset.partition_text(key, symbols);
        let made = history.newest(&state.texts_in(graph, ix, key))?;
        if let Some(made) = &made {
            // The history may know more by now than the state.
            let now = state.same_place(&spec.graph, ix).map(|now| state.dataset(now));
            let held = now.and_then(|facts| facts.entries.get(key));
            if held.is_some_and(|held| held.version != hash64(&made.version)) {
                return Err(BuildError::Moved(partition));
            }
        }
        let known = marks.get(&(ix, key.clone())).copied();
        let path = dataset.partition_path(key, symbols).map(|path| workspace.join(path));
        let empty = made.as_ref().is_some_and(|made| made.empty);
        let unknown = |error: PublishError| BuildError::Unknown {
            partition: partition.clone(),
            message: Blind::from(error).message,
        };
        let found = match (&path, dataset.partition_pattern(key, symbols)) {
            (Some(path), _) if !empty => {
                let found = publish::imprint(path)
                    .map_err(|error| unknown(PublishError::io("look at", path, error)))?;
                let imprint = found.ok_or_else(|| BuildError::Moved(partition.clone()))?;
                Some((imprint, imprint.mark, None))
            }
            (_, Some(pattern)) => {
                let found = publish::matching(workspace, &pattern).map_err(unknown)?;
                Some((found.imprint, found.mark, Some((found.base, found.paths))))
            }
            _ => None,
        };
        let (base, paths) = found.as_ref().and_then(|(_, _, files)| files.clone()).unzip();
        // What the graph of today has elsewhere was not looked at.
        let touched = found.as_ref().zip(known).is_some_and(|((_, mark, _), known)| *mark != known);
        let imprint = found.map(|(imprint, ..)| imprint);
        changed_at.set(changed_at.get().max(imprint.map(|imprint| imprint.changed_at)));
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
    };
    let mut inputs = BTreeMap::new();
    for (name, ix, set) in &spec.inputs {
        let set = graph.dataset(*ix).in_order(set, symbols);
        let files = set.iter().map(|key| input(*ix, key)).collect::<Result<_, _>>()?;
        inputs.insert(name.clone(), files);
    }
    let discovered = spec.discovered.iter().map(|(ix, key)| input(*ix, key)).collect::<Result<_, _>>()?;
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
        adds_keys: graph.job(spec.job).adds_keys.clone(),
        changed_at: changed_at.get(),
    })
}

/// The version of what is at `path`; none if nothing is, or if it cannot be read.
pub(super) fn version_at(path: &Path) -> Option<String> {
    publish::observe(path).ok().flatten().map(|found| found.hash.to_string())
}

fn keys(dataset: &Dataset, key: &PartitionKey, symbols: &Symbols) -> BTreeMap<String, String> {
    dataset.key_texts(key, symbols).into_iter().collect()
}

/// Arguments of a job with its templates filled in.
///
/// # Errors
/// A hole that cannot be filled for this run: `{input:x}` where `x` is not exactly one file.
pub(super) fn arguments(spec: &AttemptSpec, request: &Request) -> Result<Vec<String>, String> {
    let job = spec.graph.graph.job(spec.job);
    let path_text = |path: &PathBuf| path.to_string_lossy().into_owned();
    job.args
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
