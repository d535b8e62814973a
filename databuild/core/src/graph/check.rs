//! Checks of single pieces of a graph; each says what to write instead.

use super::file::{DatasetEntry, JobEntry};
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::{BatchPolicy, Dataset, DatasetIx, Graph};
use crate::keys::{key_fault, KeySpace};
use crate::mapping::{HoleSide, MappingProblem};
use crate::symbols::Symbols;
use crate::template::Template;
use crate::text::shown;

/// Names must be spellable in a reference: path segments without `=`.
pub(super) fn check_dataset_name(name: &str, label: &str, problems: &mut Problems) {
    let good_segment = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && !segment.contains(['=', ' ', '+', ','])
    };
    if !name.split('/').all(good_segment) {
        problems.rule(GraphProblem::new(
            Code::BadName,
            label,
            format!("`{name}` cannot be written in a partition reference"),
            "use package and target names without spaces, `=`, `+` and `,`",
        ));
    }
}

/// Static keys must survive a reference, a path and a shell.
pub(super) fn check_static_key(key: &str, at: &str, label: &str, problems: &mut Problems) {
    if key_fault(key).is_some() {
        problems.rule(GraphProblem::new(
            Code::BadKey,
            label,
            format!("{at}: `{}` cannot be a key", shown(key)),
            "use keys of at most 255 bytes without spaces, `/`, `=`, `+`, `,`, `..` and not beginning with `-` or `.`",
        ));
    }
}

/// A path must name every dimension (else two partitions share a file) and nothing else.
pub(super) fn check_path(
    text: &str,
    dims: &[String],
    entry: &DatasetEntry,
    problems: &mut Problems,
) -> Option<Template> {
    let before = problems.len();
    if text.is_empty()
        || text.split('/').any(|segment| segment == ".." || segment == ".")
        || text.ends_with('/')
    {
        problems.rule(GraphProblem::new(
            Code::BadTemplate,
            &entry.label,
            format!("path `{text}` is not plain"),
            "write a path relative to the workspace, without `.` and `..`",
        ));
    }
    if problems.len() > before {
        return None;
    }
    check_holes("path", text, dims, entry, problems)
}

/// A template of a dataset has a hole for each of its dimensions and no other. `what` is what it is called.
pub(super) fn check_holes(
    what: &str,
    text: &str,
    dims: &[String],
    entry: &DatasetEntry,
    problems: &mut Problems,
) -> Option<Template> {
    let problem =
        |message: String, help: &str| GraphProblem::new(Code::BadTemplate, &entry.label, message, help);
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            problems.block(problem(format!("{what} `{text}`: {error}"), "write holes as {dimension}"));
            return None;
        }
    };
    let before = problems.len();
    for (name, argument) in template.holes() {
        if argument.is_some() || !entry.dims.iter().any(|dim| dim.name == name) {
            problems.block(problem(
                format!("{what} `{text}`: `{name}` is no dimension of `{}`", entry.name),
                "its holes are the dataset's dimensions",
            ));
        }
    }
    for dim in dims {
        if !template.holes().any(|(name, _)| name == dim) {
            problems.rule(problem(
                format!("{what} `{text}` does not name dimension `{dim}`, so partitions would share it"),
                "put {dimension} for every dimension into it",
            ));
        }
    }
    (problems.len() == before).then_some(template)
}

/// Argument templates may name output keys, staging paths and single-partition inputs.
pub(super) fn check_job_templates(
    entry: &JobEntry,
    datasets: &[Dataset],
    outputs: &[DatasetIx],
    home: &Dataset,
    problems: &mut Problems,
) -> Vec<Template> {
    let mut templates = Vec::new();
    for text in &entry.program.args {
        let about = |message: String| {
            GraphProblem::new(
                Code::BadTemplate,
                &entry.label,
                format!("argument `{text}`: {message}"),
                "holes are {dimension}, {path}, {path:DATASET}, {input:NAME} and {param:NAME}; write {{ and }} for braces",
            )
        };
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                problems.block(about(error.to_string()));
                continue;
            }
        };
        let mut problem = |message| problems.rule(about(message));
        for (name, argument) in template.holes() {
            match (name, argument) {
                ("path", None) if home.path.is_some() => {}
                ("path", None) => problem(format!("`{}` has no path", home.name)),
                ("path", Some(output)) => {
                    let found = outputs.iter().map(|ix| &datasets[ix.0]).find(|d| d.name == output);
                    match found {
                        None => problem(format!("`{output}` is no output of this job")),
                        Some(dataset) if dataset.path.is_none() => problem(format!("`{output}` has no path")),
                        Some(_) => {}
                    }
                }
                ("input", Some(input)) => {
                    if !entry.inputs.iter().any(|other| other.name == input) {
                        problem(format!("there is no input `{input}`"));
                    }
                }
                ("param", Some(param)) => {
                    if !entry.params.contains_key(param) {
                        problem(format!("there is no parameter `{param}`"));
                    }
                }
                (dim, None) if home.dims.iter().any(|d| d == dim) => {}
                (other, _) => problem(format!("nothing is known for `{other}`")),
            }
        }
        templates.push(template);
    }
    templates
}

/// Most partitions of one run. Its request names each of them, and a report has a line for each.
const MAX_BATCH: u32 = 10_000;

/// A batch goes along one dimension, and nothing in the arguments may differ within it.
pub(super) fn check_batch(
    entry: &JobEntry,
    home: &Dataset,
    args: &[Template],
    problems: &mut Problems,
) -> Option<BatchPolicy> {
    let batch = entry.batch.as_ref()?;
    let about = |code, message: String, help: String| GraphProblem::new(code, &entry.label, message, help);
    let dim = home.dims.iter().position(|dim| *dim == batch.dim);
    if dim.is_none() {
        let dims = home.dims.iter().map(|dim| format!("`{dim}`")).collect::<Vec<_>>().join(", ");
        let message = format!("batch: the outputs have no dimension `{}`", batch.dim);
        let help = if dims.is_empty() {
            "leave `batch` out: there is only one partition".to_owned()
        } else {
            format!("name one of {dims}")
        };
        problems.block(about(Code::UnknownDimension, message, help));
    }
    let mut problem = |code, message, help| problems.rule(about(code, message, help));
    if !(2..=MAX_BATCH).contains(&batch.max) {
        let message = format!("batch: a run of at most {} partitions", batch.max);
        problem(
            Code::BadBatch,
            message,
            format!("write a number from 2 to {MAX_BATCH}, or leave `batch` out"),
        );
    }
    for (template, text) in args.iter().zip(&entry.program.args) {
        for (name, argument) in template.holes() {
            if matches!(name, "path" | "input") || name == batch.dim {
                let argument = argument.map(|argument| format!(":{argument}")).unwrap_or_default();
                let message = format!(
                    "argument `{text}`: `{{{name}{argument}}}` is not the same for all partitions of a batch"
                );
                let help = "read keys and paths from the request, the file that DATABUILD_REQUEST names";
                problem(Code::BadBatch, message, help.to_owned());
            }
        }
    }
    Some(BatchPolicy { dim: dim?, max: batch.max })
}

/// Checks every mapping of a resolved graph: kinds, granularities, zones, holes.
pub(super) fn check_mappings(graph: &Graph, symbols: &Symbols, problems: &mut Problems) {
    for (ix, job) in graph.jobs() {
        let home = graph.home(ix);
        for input in &job.inputs {
            let read = graph.dataset(input.dataset);
            for problem in input.mapping.validate(&home.spaces, &read.spaces) {
                let told = explain(&problem, &job.label, &input.name, home, read, symbols);
                match problem {
                    MappingProblem::Hole { .. } | MappingProblem::OnlyOutside { .. } => problems.rule(told),
                    // Nothing can be computed with these.
                    _ => problems.block(told),
                }
            }
        }
    }
}

fn explain(
    problem: &MappingProblem,
    label: &str,
    input: &str,
    home: &Dataset,
    read: &Dataset,
    symbols: &Symbols,
) -> GraphProblem {
    let read_dim = |dim: usize| format!("input `{input}`, dimension `{}` of `{}`", read.dims[dim], read.name);
    let out_dim = |of: usize| format!("`{}` of `{}`", home.dims[of], home.name);
    let (code, message, help) = match problem {
        MappingProblem::RuleCount { .. } | MappingProblem::NoSuchDimension { .. } => (
            Code::UnmappedDimension,
            format!("input `{input}` does not say how each dimension of `{}` follows", read.name),
            "give each dimension of the input a rule".to_owned(),
        ),
        MappingProblem::ZeroCount { dim } => (
            Code::BadRule,
            format!("{}: a window or latest of 0 keys reads nothing", read_dim(*dim)),
            "write a count of at least 1".to_owned(),
        ),
        MappingProblem::NeedsTime { dim, of, rule } => (
            Code::GranularityMismatch,
            format!("{}: `{rule}` needs time keys here and in {}", read_dim(*dim), out_dim(*of)),
            "use keys.same(), keys.all() or keys.only(...) for static keys".to_owned(),
        ),
        MappingProblem::KindMismatch { dim, of } => (
            Code::GranularityMismatch,
            format!("{}: its keys are of another kind than those of {}", read_dim(*dim), out_dim(*of)),
            "map it with keys.all() or keys.only(...), or give both dimensions keys of one kind".to_owned(),
        ),
        MappingProblem::GranularityMismatch { dim, of, rule, input, output } => (
            Code::GranularityMismatch,
            format!(
                "{}: `{rule}` cannot relate {} keys to the {} keys of {}",
                read_dim(*dim),
                input.name(),
                output.name(),
                out_dim(*of)
            ),
            "use keys.rollup(...) from finer to coarser keys, keys.fanout(...) from coarser to finer ones".to_owned(),
        ),
        MappingProblem::TimezoneMismatch { dim, of, input, output } => (
            Code::TimezoneMismatch,
            format!("{}: its calendar is of {input}, that of {} of {output}", read_dim(*dim), out_dim(*of)),
            "give both dimensions one timezone".to_owned(),
        ),
        MappingProblem::OnlyOutside { dim, keys } => (
            Code::UnknownKey,
            match keys.first() {
                Some(key) => format!(
                    "{}: `{}` is not in its key space",
                    read_dim(*dim),
                    read.spaces[*dim].format_key(key, symbols)
                ),
                None => format!("{}: keys.only() names no key", read_dim(*dim)),
            },
            "name keys of that dimension".to_owned(),
        ),
        MappingProblem::Hole { dim, of, output, missing, side } => (
            Code::MappingHole,
            format!(
                "{}={} needs `{}` {}={}, {}",
                home.dims[*of],
                home.spaces[*of].format_key(*output, symbols),
                read.name,
                read.dims[*dim],
                read.spaces[*dim].format_key(*missing, symbols),
                beyond(&read.spaces[*dim], *side)
            ),
            format!(
                "say {rule} = \"clip\" (use what exists) or {rule} = \"skip\" (leave such outputs out) in the dep of input `{input}`, or change the key spaces",
                rule = side.rule_name()
            ),
        ),
    };
    GraphProblem::new(code, label, message, help)
}

/// Why a key space does not have a key: where it lies.
fn beyond(space: &KeySpace, side: HoleSide) -> String {
    match (space.time(), side) {
        (Some(time), HoleSide::BeforeStart) => {
            format!("which is before the first key, {}", time.format_key(time.start()))
        }
        (Some(time), HoleSide::AfterEnd) => match time.end() {
            Some(end) => format!("which is after the last key, {}", time.format_key(end)),
            None => "which will never exist".to_owned(),
        },
        (None, _) => "which is not a key of that dimension".to_owned(),
    }
}
