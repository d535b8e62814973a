//! From the file to the checked graph: names to indices, texts to key spaces and mappings.
//!
//! Every problem is collected, not only the first, because whoever wrote the BUILD file wants to see
//! them at once; only what would make later checks meaningless stops early.

use super::check::{
    check_batch, check_dataset_name, check_job_templates, check_mappings, check_path, check_static_key,
};
use super::checks::resolve_checks;
use super::file::{
    DatasetEntry, DimEntry, EdgeName, GranularityName, GraphFile, InputEntry, JobEntry, KeysEntry, RuleEntry,
    FORMAT,
};
use super::limits::{resolve_keep_events, resolve_pools, resolve_takes, Origins};
use super::model::Layouts;
use super::moved::Moved;
use super::observe::resolve_observe;
use super::params::check_params;
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::program::Program;
use super::schedules::resolve_schedules;
use super::upgrade::upgrade;
use super::{Dataset, DatasetIx, Graph, Input, Job, JobIx, Pool};
use crate::digest::{hash64, mix, sha256_of_texts};
use crate::key_error::KeyError;
use crate::keys::{key_fault, KeySpace};
use crate::mapping::{DimRule, Edge, Mapping};
use crate::partition_set::Shape;
use crate::range_set::{Key, RangeSet};
use crate::symbols::Symbols;
use crate::template::rename_holes;
use crate::text::shown;
use crate::time::{Granularity, TimeSpace};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Parses the JSON of a graph file.
///
/// # Errors
/// One problem: not JSON of the expected shape, or a format that is not known.
pub fn parse_file(content: &str) -> Result<GraphFile, Vec<GraphProblem>> {
    let malformed = |error: serde_json::Error| {
        vec![GraphProblem::new(
            Code::Malformed,
            "graph file",
            format!("the graph file cannot be read: {error}"),
            "build it again with `bazel build`; it is never written by hand",
        )]
    };
    let of_format = |format: u64| match format == u64::from(FORMAT) {
        true => Ok(()),
        false => Err(vec![GraphProblem::new(
            Code::UnsupportedFormat,
            "graph file",
            format!("the graph file has format {format}, this version reads formats up to {FORMAT}"),
            "use the rules and the databuild binary of one release",
        )]),
    };
    // Once in the usual case; only what cannot be read is looked at again, for its format.
    if let Ok(file) = serde_json::from_str::<GraphFile>(content) {
        return of_format(file.format.into()).map(|()| file);
    }
    let mut file: serde_json::Value = serde_json::from_str(content).map_err(malformed)?;
    let is_old = upgrade(&mut file);
    of_format(file.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default())?;
    // Of a file that was not rewritten an error can say at which line.
    if is_old { serde_json::from_value(file) } else { serde_json::from_str(content) }.map_err(malformed)
}

/// Resolves a parsed file. Whether rules for new graphs count is for `problems` to say.
pub(super) fn resolve(
    file: &GraphFile,
    mut problems: Problems,
    symbols: &mut Symbols,
) -> Result<Graph, Vec<GraphProblem>> {
    let moved = Moved::of(file, &mut problems);
    let mut datasets: Vec<Dataset> = Vec::with_capacity(file.datasets.len());
    let mut by_name = HashMap::new();
    for entry in &file.datasets {
        if by_name.insert(entry.name.clone(), DatasetIx(datasets.len())).is_some() {
            problems.block(GraphProblem::new(
                Code::DuplicateDataset,
                &entry.label,
                format!("dataset `{}` is declared twice", entry.name),
                "give one of them another name",
            ));
            continue;
        }
        datasets.push(resolve_dataset(entry, &moved, symbols, &mut problems));
    }
    let pools = resolve_pools(file, &mut problems);
    let keep_events = resolve_keep_events(file, &mut problems);
    // Mappings cannot be read against key spaces that do not exist.
    problems.none()?;

    let mut jobs = Vec::with_capacity(file.jobs.len());
    for entry in &file.jobs {
        if jobs.iter().any(|job: &Job| job.label == entry.label) {
            problems.block(GraphProblem::new(
                Code::DuplicateJob,
                &entry.label,
                format!("job `{}` is declared twice", entry.label),
                "list it once in the graph",
            ));
            continue;
        }
        if let Some(job) = resolve_job(entry, &datasets, &by_name, &pools, &moved, symbols, &mut problems) {
            jobs.push(job);
        }
    }
    problems.none()?;
    check_producers(&datasets, &jobs, &mut problems);
    let checks = resolve_checks(file, &datasets, &jobs, &by_name, &mut problems);
    let schedules = resolve_schedules(file, &datasets, &by_name, &mut problems);
    problems.none()?;
    let jobs = in_dependency_order(jobs, &datasets).map_err(|problem| vec![problem])?;
    for (ix, job) in jobs.iter().enumerate() {
        for output in &job.outputs {
            datasets[output.0].producer = Some(JobIx(ix));
        }
        for (input_ix, input) in job.inputs.iter().enumerate() {
            datasets[input.dataset.0].consumers.push((JobIx(ix), input_ix));
        }
    }
    let by_label = jobs.iter().enumerate().map(|(ix, job)| (job.label.clone(), JobIx(ix))).collect();
    let mut by_earlier_name = HashMap::new();
    for (ix, dataset) in datasets.iter().enumerate() {
        by_earlier_name.extend(dataset.earlier.iter().map(|name| (name.clone(), DatasetIx(ix))));
    }
    let mut by_earlier_label = HashMap::new();
    for (ix, job) in jobs.iter().enumerate() {
        by_earlier_label.extend(job.earlier.iter().map(|label| (label.clone(), JobIx(ix))));
    }
    let label = file.label.clone();
    let mut graph = Graph {
        label,
        layouts: Layouts::new(&datasets),
        datasets,
        jobs,
        pools,
        keep_events,
        checks,
        schedules,
        by_name,
        by_label,
        by_earlier_name,
        by_earlier_label,
    };
    check_mappings(&graph, symbols, &mut problems);
    problems.none()?;
    mark_time_dependence(&mut graph);
    Ok(graph)
}

fn resolve_dataset(
    entry: &DatasetEntry,
    moved: &Moved,
    symbols: &mut Symbols,
    problems: &mut Problems,
) -> Dataset {
    check_dataset_name(&entry.name, &entry.label, problems);
    let earlier = moved.of_dataset(&entry.name);
    let origin = earlier.last().unwrap_or(&entry.name);
    let mut dims: Vec<String> = Vec::new();
    let mut earlier_dims = Vec::new();
    let mut spaces = Vec::new();
    for dim in &entry.dims {
        if dims.contains(&dim.name) {
            problems.block(GraphProblem::new(
                Code::DuplicateDimension,
                &entry.label,
                format!("dimension `{}` of `{}` is declared twice", dim.name, entry.name),
                "give each dimension a name of its own",
            ));
            continue;
        }
        let earlier = moved.of_dim(&entry.name, &dim.name);
        // A set of keys that nobody named keeps the name that it had at first.
        let own = format!("{origin}:{}", earlier.last().unwrap_or(&dim.name));
        if let Some(space) = resolve_keys(&dim.keys, &dim.name, &own, entry, symbols, problems) {
            dims.push(dim.name.clone());
            earlier_dims.push(earlier);
            spaces.push(space);
        }
    }
    let path = entry.path.as_ref().and_then(|text| check_path(text, &dims, entry, problems));
    let observe = resolve_observe(entry, &dims, problems);
    entry.policy.check(&entry.label, problems);
    let shape = Shape::of(&spaces);
    Dataset {
        name: entry.name.clone(),
        label: entry.label.clone(),
        hash: hash64(origin),
        earlier,
        external: entry.external,
        dims,
        earlier_dims,
        spaces,
        shape,
        path,
        path_text: entry.path.clone(),
        observe,
        policy: entry.policy.clone(),
        producer: None,
        consumers: Vec::new(),
    }
}

fn bad_time_space(at: &str, entry: &DatasetEntry, error: &KeyError) -> GraphProblem {
    let code = match error.code() {
        "unknown_timezone" => Code::UnknownTimezone,
        "empty_key_space" => Code::EmptyKeySpace,
        _ => Code::BadTimeKey,
    };
    let help = match code {
        Code::UnknownTimezone => "use a name of the IANA time zone database, such as `Europe/Berlin`",
        Code::EmptyKeySpace => "make the end later than the start",
        _ => "write a day as 2010-06-01, an hour as 2010-06-01T13, a week as 2010-W05, a month as 2010-06, a year as 2010",
    };
    GraphProblem::new(code, &entry.label, format!("{at}: {error}"), help)
}

/// Bounds of key spaces that only graphs of the past may have.
pub(super) fn check_bounds(file: &GraphFile) -> Vec<GraphProblem> {
    let dims = file.datasets.iter().flat_map(|entry| entry.dims.iter().map(move |dim| (entry, dim)));
    let check = |(entry, dim): (&DatasetEntry, &DimEntry)| {
        let KeysEntry::Time { granularity, start, end, timezone } = &dim.keys else { return None };
        let error = TimeSpace::parse(granularity.into(), start, end.as_deref(), timezone).err()?;
        Some(bad_time_space(&format!("dimension `{}` of `{}`", dim.name, entry.name), entry, &error))
    };
    dims.filter_map(check).collect()
}

fn resolve_keys(
    keys: &KeysEntry,
    dim: &str,
    own: &str,
    entry: &DatasetEntry,
    symbols: &mut Symbols,
    problems: &mut Problems,
) -> Option<KeySpace> {
    let at = format!("dimension `{dim}` of `{}`", entry.name);
    match keys {
        KeysEntry::Time { granularity, start, end, timezone } => {
            let granularity = granularity.into();
            match TimeSpace::parse_stored(granularity, start, end.as_deref(), timezone) {
                Ok(space) => Some(KeySpace::Time(space)),
                Err(error) => {
                    problems.block(bad_time_space(&at, entry, &error));
                    None
                }
            }
        }
        KeysEntry::Static { keys } => {
            if keys.is_empty() {
                problems.rule(GraphProblem::new(
                    Code::EmptyKeySpace,
                    &entry.label,
                    format!("{at} has no keys"),
                    "list at least one key",
                ));
            }
            let before = problems.len();
            let mut seen = HashSet::with_capacity(keys.len());
            for key in keys {
                check_static_key(key, &at, &entry.label, problems);
                if !seen.insert(key) {
                    problems.block(GraphProblem::new(
                        Code::BadKey,
                        &entry.label,
                        format!("{at} lists key `{key}` twice"),
                        "list it once",
                    ));
                }
            }
            (problems.len() == before)
                .then(|| KeySpace::of_static(keys.iter().map(|key| symbols.intern(key)).collect()))
        }
        KeysEntry::Dynamic { name: None } => Some(KeySpace::Dynamic(own.into())),
        KeysEntry::Dynamic { name: Some(name) } => {
            if name.contains(':') || key_fault(name).is_some() {
                problems.rule(GraphProblem::new(
                    Code::BadName,
                    &entry.label,
                    format!("{at}: `{}` cannot be the name of a key space", shown(name)),
                    "use letters, digits, `_` and `-`",
                ));
            }
            Some(KeySpace::Dynamic(name.as_str().into()))
        }
    }
}

fn resolve_job(
    entry: &JobEntry,
    datasets: &[Dataset],
    by_name: &HashMap<String, DatasetIx>,
    pools: &[Pool],
    moved: &Moved,
    symbols: &mut Symbols,
    problems: &mut Problems,
) -> Option<Job> {
    let before = problems.len();
    let about = |code, message: String, help: &str| GraphProblem::new(code, &entry.label, message, help);
    let unknown = |name: &str| format!("`{name}` is no dataset of this graph");
    let mut outputs = Vec::new();
    for name in &entry.outputs {
        match by_name.get(name) {
            Some(ix) => outputs.push(*ix),
            None => {
                let help = "name a databuild_dataset target";
                problems.block(about(Code::UnknownDataset, unknown(name), help));
            }
        }
    }
    if entry.outputs.is_empty() {
        problems.block(about(
            Code::NoOutputs,
            "a job without outputs makes nothing".into(),
            "list at least one dataset in `outputs`",
        ));
    }
    let first = outputs.first().map(|ix| &datasets[ix.0])?;
    for output in outputs.iter().map(|ix| &datasets[ix.0]) {
        if output.dims != first.dims || output.spaces != first.spaces {
            problems.block(about(
                Code::OutputDimsDiffer,
                format!("outputs `{}` and `{}` have different dimensions", first.name, output.name),
                "give all outputs of one job the same dims (dynamic keys: one name for both, such as keys.dynamic(\"customers\")), or split the job",
            ));
        }
    }
    if entry.program.timeout_ms == Some(0) {
        problems.rule(about(
            Code::BadTimeout,
            "a timeout of 0 stops every attempt".into(),
            "leave `timeout` out for no limit",
        ));
    }
    let mut inputs: Vec<Input> = Vec::new();
    for input in &entry.inputs {
        if inputs.iter().any(|other| other.name == input.name) {
            problems.block(GraphProblem::new(
                Code::DuplicateInput,
                &entry.label,
                format!("input `{}` is declared twice", input.name),
                "give each input a name of its own",
            ));
            continue;
        }
        match by_name.get(&input.dataset) {
            None => problems.block(GraphProblem::new(
                Code::UnknownDataset,
                &entry.label,
                format!("input `{}`: {}", input.name, unknown(&input.dataset)),
                "name a databuild_dataset target",
            )),
            Some(ix) => {
                let mapping = resolve_mapping(input, &datasets[ix.0], first, &entry.label, symbols, problems);
                inputs.extend(mapping.map(|mapping| Input {
                    name: input.name.clone(),
                    hash: order_hash(hash64(&input.name), &mapping, &datasets[ix.0].spaces),
                    dataset: *ix,
                    ever: mapping.ever(),
                    mapping,
                    time_dependent: false,
                }));
            }
        }
    }
    for name in &entry.adds_keys {
        let is = |space: &KeySpace| space.dynamic() == Some(name);
        if !datasets.iter().any(|dataset| dataset.spaces.iter().any(is)) {
            problems.rule(GraphProblem::new(
                Code::UnknownKeySpace,
                &entry.label,
                format!("adds_keys: no dataset of this graph has keys.dynamic(\"{}\")", shown(name)),
                "name the dynamic key space of a dataset",
            ));
        }
    }
    check_params(entry, problems);
    let args = check_job_templates(entry, datasets, &outputs, first, problems);
    let batch = check_batch(entry, first, &args, problems);
    let program = Program::resolve(&entry.program, args, &entry.label, problems);
    let earlier = moved.of_job(&entry.label);
    let origins = Origins {
        job: earlier.last().unwrap_or(&entry.label),
        outputs: outputs.iter().map(|ix| datasets[ix.0].origin()).collect(),
    };
    let takes = resolve_takes(entry, &origins, pools, problems);
    entry.policy.check(&entry.label, problems);
    (problems.len() == before).then(|| Job {
        label: entry.label.clone(),
        earlier,
        program,
        params: entry.params.clone(),
        inputs,
        batch,
        takes,
        policy: entry.policy.clone(),
        sources: entry.sources.clone(),
        adds_keys: entry.adds_keys.clone(),
        args_digest: args_digest(&first_args(entry, datasets, &outputs), &entry.program.env),
        template_digest: template_digest(datasets, &outputs),
        outputs,
    })
}

/// Argument templates as they were before anything that they name was moved.
fn first_args(entry: &JobEntry, datasets: &[Dataset], outputs: &[DatasetIx]) -> Vec<String> {
    let of_hole = |name: &str, argument: Option<&str>| match (name, argument) {
        ("path", Some(output)) => {
            let output = outputs.iter().map(|ix| &datasets[ix.0]).find(|dataset| dataset.name == output)?;
            Some(format!("path:{}", output.origin()))
        }
        (dim, None) => datasets[outputs.first()?.0].origin_of_dim(dim).map(str::to_owned),
        _ => None,
    };
    entry.program.args.iter().map(|text| rename_holes(text, of_hole)).collect()
}

fn template_digest(datasets: &[Dataset], outputs: &[DatasetIx]) -> String {
    let paths = outputs.iter().map(|ix| {
        let dataset = &datasets[ix.0];
        let of_hole = |dim: &str, _: Option<&str>| dataset.origin_of_dim(dim).map(str::to_owned);
        rename_holes(dataset.path_text.as_deref().unwrap_or(""), of_hole)
    });
    let paths: Vec<String> = paths.collect();
    sha256_of_texts(paths.iter().map(String::as_str))
}

fn args_digest(args: &[String], env: &BTreeMap<String, String>) -> String {
    // The count keeps `args = ["A", "1"]` apart from `env = {"A": "1"}`.
    let count = args.len().to_string();
    let texts = args.iter().map(String::as_str);
    let env = env.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    sha256_of_texts(std::iter::once(count.as_str()).chain(texts).chain(env))
}

fn resolve_mapping(
    input: &InputEntry,
    read: &Dataset,
    output: &Dataset,
    label: &str,
    symbols: &mut Symbols,
    problems: &mut Problems,
) -> Option<Mapping> {
    let mut rules = Vec::new();
    for (dim_ix, dim) in read.dims.iter().enumerate() {
        let Some(entry) = input.dims.iter().find(|entry| entry.dim == *dim) else {
            problems.block(GraphProblem::new(
                Code::UnmappedDimension,
                label,
                format!("input `{}` says nothing of dimension `{dim}` of `{}`", input.name, read.name),
                format!("write dep(\"{}\", {dim} = keys.…)", read.label),
            ));
            continue;
        };
        rules.extend(resolve_rule(&entry.rule, dim_ix, input, read, output, label, symbols, problems));
    }
    for entry in input.dims.iter().filter(|entry| !read.dims.contains(&entry.dim)) {
        problems.rule(GraphProblem::new(
            Code::UnknownDimension,
            label,
            format!("input `{}`: `{}` has no dimension `{}`", input.name, read.name, entry.dim),
            format!("its dimensions are {}", list(&read.dims)),
        ));
    }
    (rules.len() == read.dims.len()).then(|| Mapping {
        rules,
        before_start: input.before_start.into(),
        after_end: input.after_end.into(),
    })
}

#[expect(clippy::too_many_arguments, reason = "context for one message; a struct would only rename it")]
fn resolve_rule(
    rule: &RuleEntry,
    dim_ix: usize,
    input: &InputEntry,
    read: &Dataset,
    output: &Dataset,
    label: &str,
    symbols: &mut Symbols,
    problems: &mut Problems,
) -> Option<DimRule> {
    let dim = &read.dims[dim_ix];
    let at = format!("input `{}`, dimension `{dim}`", input.name);
    if matches!(rule, RuleEntry::Offset { by: 0, .. }) {
        problems.rule(GraphProblem::new(
            Code::BadRule,
            label,
            format!("{at}: an offset of 0 is the same key"),
            "use keys.same(), or an offset that is not 0",
        ));
    }
    let mut of = |name: &str| {
        let found = output.dims.iter().position(|d| d == name);
        if found.is_none() {
            problems.block(GraphProblem::new(
                Code::UnknownDimension,
                label,
                format!("{at}: the outputs have no dimension `{name}`"),
                format!(
                    "their dimensions are {}; say how `{dim}` follows from them, for example {dim} = keys.all()",
                    list(&output.dims)
                ),
            ));
        }
        found
    };
    Some(match rule {
        RuleEntry::Same { of: name } => DimRule::Same { of: of(name)? },
        RuleEntry::Window { of: name, count } => DimRule::Window { of: of(name)?, count: *count },
        RuleEntry::Offset { of: name, by } => DimRule::Offset { of: of(name)?, by: *by },
        RuleEntry::Rollup { of: name } => DimRule::Rollup { of: of(name)? },
        RuleEntry::Fanout { of: name } => DimRule::Fanout { of: of(name)? },
        RuleEntry::All {} => DimRule::All,
        RuleEntry::Latest { count } => DimRule::Latest { count: *count },
        RuleEntry::Only { keys } => {
            let mut set = RangeSet::new();
            for key in keys {
                if read.spaces[dim_ix].dynamic().is_some() {
                    // It may come; that it can is all that is known.
                    check_static_key(key, &at, label, problems);
                    set.insert(symbols.intern(key));
                    continue;
                }
                match read.spaces[dim_ix].parse_key(key, symbols) {
                    Ok(key) => {
                        set.insert(key);
                    }
                    Err(error) => {
                        problems.rule(GraphProblem::new(
                            Code::UnknownKey,
                            label,
                            format!("{at}: {error}"),
                            "name keys of that dimension",
                        ));
                    }
                }
            }
            DimRule::Only(set)
        }
    })
}

fn check_producers(datasets: &[Dataset], jobs: &[Job], problems: &mut Problems) {
    let mut producers: HashMap<DatasetIx, &Job> = HashMap::new();
    for job in jobs {
        for output in &job.outputs {
            let dataset = &datasets[output.0];
            if dataset.external {
                problems.rule(GraphProblem::new(
                    Code::ExternalProduced,
                    &job.label,
                    format!("`{}` is declared external, yet this job makes it", dataset.name),
                    "drop `external = True` from the dataset, or the dataset from the job's outputs",
                ));
            }
            if let Some(other) = producers.insert(*output, job) {
                problems.block(GraphProblem::new(
                    Code::TwoProducers,
                    &job.label,
                    format!("`{}` is made by {} and by {}", dataset.name, other.label, job.label),
                    "let one job make each dataset",
                ));
            }
        }
    }
    for job in jobs {
        for input in &job.inputs {
            let dataset = &datasets[input.dataset.0];
            if !dataset.external && !producers.contains_key(&input.dataset) {
                problems.block(GraphProblem::new(
                    Code::NoProducer,
                    &job.label,
                    format!("input `{}`: no job in this graph makes `{}`", input.name, dataset.name),
                    "add the job that makes it to the graph, or declare the dataset `external = True`",
                ));
            }
        }
    }
}

/// Kahn's algorithm, taking the smallest label first, so that the order is the same everywhere.
fn in_dependency_order(jobs: Vec<Job>, datasets: &[Dataset]) -> Result<Vec<Job>, GraphProblem> {
    let mut producer: HashMap<DatasetIx, usize> = HashMap::new();
    for (ix, job) in jobs.iter().enumerate() {
        producer.extend(job.outputs.iter().map(|output| (*output, ix)));
    }
    let upstream: Vec<Vec<usize>> = jobs
        .iter()
        .map(|job| {
            let mut all: Vec<usize> =
                job.inputs.iter().filter_map(|input| producer.get(&input.dataset).copied()).collect();
            all.sort_unstable();
            all.dedup();
            all
        })
        .collect();
    let mut waiting_for: Vec<usize> = upstream.iter().map(Vec::len).collect();
    let mut downstream: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
    for (ix, all) in upstream.iter().enumerate() {
        all.iter().for_each(|up| downstream[*up].push(ix));
    }
    let mut free: std::collections::BTreeSet<(&str, usize)> =
        (0..jobs.len()).filter(|ix| waiting_for[*ix] == 0).map(|ix| (jobs[ix].label.as_str(), ix)).collect();
    let mut order = Vec::with_capacity(jobs.len());
    while let Some((_, ix)) = free.pop_first() {
        order.push(ix);
        for down in &downstream[ix] {
            waiting_for[*down] -= 1;
            if waiting_for[*down] == 0 {
                free.insert((jobs[*down].label.as_str(), *down));
            }
        }
    }
    if order.len() < jobs.len() {
        return Err(cycle_problem(&jobs, datasets, &upstream, &waiting_for));
    }
    let mut slots: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|ix| slots[ix].take()).collect())
}

/// Names one circle: from any job that is still waiting, always on to one it waits for.
fn cycle_problem(
    jobs: &[Job],
    datasets: &[Dataset],
    upstream: &[Vec<usize>],
    waiting_for: &[usize],
) -> GraphProblem {
    let stuck = |ix: &&usize| waiting_for[**ix] > 0;
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..jobs.len()).find(|ix| waiting_for[*ix] > 0).unwrap_or(0);
    while !path.contains(&at) {
        path.push(at);
        match upstream[at].iter().find(stuck) {
            Some(next) => at = *next,
            None => break,
        }
    }
    let start = path.iter().position(|ix| *ix == at).unwrap_or(0);
    let circle = &path[start..];
    let mut text = jobs[circle[0]].label.clone();
    for (i, ix) in circle.iter().enumerate() {
        let next = circle[(i + 1) % circle.len()];
        let via = jobs[*ix]
            .inputs
            .iter()
            .find(|input| jobs[next].outputs.contains(&input.dataset))
            .map_or("?", |input| datasets[input.dataset.0].name.as_str());
        text.push_str(&format!(" reads {via}, made by {}", jobs[next].label));
    }
    GraphProblem::new(
        super::ProblemCode::Cycle,
        &jobs[circle[0]].label,
        format!("jobs wait for each other: {text}"),
        "break the circle: a dataset cannot be needed to make itself",
    )
}

/// The hash of an input's name with that of the order in which its keys are handed to the job. Keys that stand in the
/// order in which they were first declared leave it as it is.
fn order_hash(name: u64, mapping: &Mapping, spaces: &[KeySpace]) -> u64 {
    let mut hash = name;
    for (dim, (rule, space)) in mapping.rules.iter().zip(spaces).enumerate() {
        let KeySpace::Static(keys, _) = space else { continue };
        let read: Vec<Key> = match rule {
            DimRule::All => keys.clone(),
            DimRule::Only(only) => keys.iter().copied().filter(|key| only.contains(*key)).collect(),
            // One key of a listed dimension has no order.
            _ => continue,
        };
        if !read.is_sorted() {
            hash = read.iter().fold(mix(hash, dim as u64), |hash, key| mix(hash, u64::from(*key)));
        }
    }
    hash
}

fn mark_time_dependence(graph: &mut Graph) {
    for ix in 0..graph.jobs.len() {
        for input_ix in 0..graph.jobs[ix].inputs.len() {
            let input = &graph.jobs[ix].inputs[input_ix];
            let depends = input.mapping.is_time_dependent(&graph.datasets[input.dataset.0].spaces);
            graph.jobs[ix].inputs[input_ix].time_dependent = depends;
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl From<&GranularityName> for Granularity {
    fn from(name: &GranularityName) -> Granularity {
        match name {
            GranularityName::Hour => Granularity::Hour,
            GranularityName::Day => Granularity::Day,
            GranularityName::Week => Granularity::Week,
            GranularityName::Month => Granularity::Month,
            GranularityName::Year => Granularity::Year,
        }
    }
}

impl From<EdgeName> for Edge {
    fn from(name: EdgeName) -> Edge {
        match name {
            EdgeName::Clip => Edge::Clip,
            EdgeName::Fail => Edge::Fail,
            EdgeName::Skip => Edge::Skip,
        }
    }
}
