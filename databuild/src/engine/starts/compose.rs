//! Writes the request of an attempt that is about to start.

use crate::engine::attempt::request::{InputFile, OutputFile, Request, FORMAT};
use crate::engine::attempt::staging::{self, Staging};
use crate::engine::history::History;
use crate::publish::{self, PublishError, StatMark};
use databuild_core::decide::AttemptSpec;
use databuild_core::digest::hash64;
use databuild_core::graph::{Dataset, DatasetIx};
use databuild_core::observation::Blind;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Marks of the files of inputs, by the dataset of an attempt's graph.
pub(in crate::engine) type Marks = HashMap<(DatasetIx, PartitionKey), StatMark>;

/// Why a request cannot be written.
#[derive(Debug, thiserror::Error)]
pub(in crate::engine) enum BuildError {
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
pub(in crate::engine) fn build(
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

fn keys(dataset: &Dataset, key: &PartitionKey, symbols: &Symbols) -> BTreeMap<String, String> {
    dataset.key_texts(key, symbols).into_iter().collect()
}

/// Arguments of a job with its templates filled in.
///
/// # Errors
/// A hole that cannot be filled for this run: `{input:x}` where `x` is not exactly one file.
pub(in crate::engine) fn arguments(spec: &AttemptSpec, request: &Request) -> Result<Vec<String>, String> {
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
