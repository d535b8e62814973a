//! Random graphs, and random changes of them.

use super::world::essence;
use crate::support::graphs::{
    days, dynamic, every_seconds, listed, months, path_of, reads, GraphSpec, Reads,
};
use crate::support::rng::Rng;
use databuild_core::graph::file::{
    BatchEntry, DimEntry, EdgeName, GranularityName, JobEntry, KeysEntry, MovedEntry, PoolEntry, RuleEntry,
};
use databuild_core::graph::{OnCodeChange, Rate};
use std::time::Duration;

/// The parameter of those jobs that have one.
pub const PARAM: &str = "level";
/// The dynamic key space of all datasets that have one.
pub const KEYS: &str = "cities";
pub const CITIES: [&str; 4] = ["oslo", "rome", "bern", "lima"];
/// What a job makes depends on its inputs in full, by one bit, or not at all.
const CODES: [&str; 6] = ["full-1", "full-2", "full-3", "coarse-1", "coarse-2", "const-1"];

/// A graph that changes.
#[derive(Debug, Clone)]
pub struct Scene {
    pub spec: GraphSpec,
    named: usize,
}

impl Scene {
    pub fn new(rng: &mut Rng) -> Scene {
        let mut scene = Scene { spec: GraphSpec::new(), named: 0 };
        for ix in 0..rng.below(3) {
            scene.spec = scene.spec.pool(&format!("pool{ix}"), 1 + rng.below(4) as u32);
        }
        for ix in 0..1 + rng.below(2) {
            let dims = random_dims(rng);
            scene.spec = scene.spec.external(&format!("raw{ix}"), &dims);
        }
        for dataset in &mut scene.spec.file.datasets {
            dataset.path = Some(path_of(dataset));
        }
        for _ in 0..2 + rng.below(3) {
            let next = scene.with_job(rng);
            scene = next.unwrap_or(scene);
        }
        scene
    }

    fn with_job(&self, rng: &mut Rng) -> Option<Scene> {
        let mut next = self.clone();
        next.named += 1;
        let number = next.named;
        let upstream: Vec<String> = self.spec.file.datasets.iter().map(|d| d.name.clone()).collect();
        let dims = random_dims(rng);
        let count = if rng.percent(25) { 2 } else { 1 };
        let outputs: Vec<String> = (0..count).map(|ix| format!("d{number}{}", ["a", "b"][ix])).collect();
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let inputs =
            if rng.percent(8) { Vec::new() } else { random_inputs(rng, &self.spec, &upstream, &dims) };
        let mut spec = next.spec.job(&format!("job{number}"), &outputs, &dims, inputs).with(|job| {
            job.program.code = Some((*rng.pick(&CODES)).to_owned());
            job.policy.retries = rng.below(3) as u32;
            job.program.timeout_ms = rng.percent(30).then_some(60_000);
            job.batch = random_batch(rng, &dims);
            if rng.percent(40) {
                job.params = [(PARAM.to_owned(), "0".to_owned())].into();
            }
            if rng.percent(15) {
                job.policy.on_code_change = OnCodeChange::Keep;
            }
        });
        let pools = spec.file.pools.clone();
        if let Some(job) = spec.file.jobs.last_mut() {
            limit(rng, job, &pools);
        }
        for dataset in spec.file.datasets.iter_mut().rev().take(count) {
            dataset.path = rng.percent(70).then(|| path_of(dataset));
        }
        next.spec = spec;
        next.repaired()
    }

    /// A dataset and what speaks of it have another name.
    fn move_dataset(&mut self, dataset: usize) {
        self.named += 1;
        let file = &mut self.spec.file;
        let from = file.datasets[dataset].name.clone();
        let to = format!("{}~{}", from.split('~').next().unwrap_or(&from), self.named);
        file.datasets[dataset].name.clone_from(&to);
        for job in &mut file.jobs {
            let inputs = job.inputs.iter_mut().map(|input| &mut input.dataset);
            for name in job.outputs.iter_mut().chain(inputs).filter(|name| **name == from) {
                name.clone_from(&to);
            }
        }
        file.moved.push(MovedEntry::Dataset { from, to });
    }

    /// What went has not been moved anywhere.
    fn drop_dead_moves(&mut self) {
        let file = &mut self.spec.file;
        loop {
            let before = file.moved.clone();
            let leads_on = |name: &String, jobs: bool| {
                before.iter().any(|entry| match entry {
                    MovedEntry::Dataset { from, .. } => !jobs && from == name,
                    MovedEntry::Job { from, .. } => jobs && from == name,
                    MovedEntry::Dimension { .. } => false,
                })
            };
            file.moved.retain(|entry| match entry {
                MovedEntry::Dataset { to, .. } => {
                    leads_on(to, false) || file.datasets.iter().any(|dataset| dataset.name == *to)
                }
                MovedEntry::Job { to, .. } => {
                    leads_on(to, true) || file.jobs.iter().any(|job| job.label == *to)
                }
                MovedEntry::Dimension { .. } => true,
            });
            if file.moved == before {
                return;
            }
        }
    }

    /// The scene if its graph is sound, or else with edges that clip; none if that does not help.
    fn repaired(mut self) -> Option<Scene> {
        self.drop_dead_moves();
        if self.spec.parse().is_ok() {
            return Some(self);
        }
        for input in self.spec.file.jobs.iter_mut().flat_map(|job| &mut job.inputs) {
            (input.before_start, input.after_end) = (EdgeName::Clip, EdgeName::Clip);
        }
        self.spec.parse().is_ok().then_some(self)
    }

    /// A schedule wants what the first job makes; when, depends on the graph.
    pub fn schedule(&mut self) {
        let targets = self.spec.file.jobs.iter().take(1).flat_map(|job| job.outputs.iter().take(1));
        let targets: Vec<&str> = targets.map(String::as_str).collect();
        let every = 20 + 10 * (self.spec.file.jobs.len() as u64 % 3);
        self.spec.file.schedules = match targets.is_empty() {
            true => Vec::new(),
            false => vec![every_seconds("nightly", every, &targets)],
        };
    }

    /// The same with another graph; what is named from now on is named as nothing was before.
    pub fn with(&self, spec: GraphSpec) -> Scene {
        Scene { spec, named: self.named }
    }

    /// Other code of some job that does the same.
    pub fn with_a_harmless_change(&self, rng: &mut Rng) -> Option<Scene> {
        let mut next = self.clone();
        let count = next.spec.file.jobs.len();
        if count == 0 {
            return None;
        }
        let job = &mut next.spec.file.jobs[rng.below(count)];
        let before = job.program.code.take().unwrap_or_default();
        job.program.code = Some(format!("{}+{}", essence(&before), 3 + rng.below(3)));
        Some(next)
    }

    /// A change that leaves the graph sound, with what it is.
    pub fn changed(&self, rng: &mut Rng) -> (Scene, &'static str) {
        for _ in 0..10 {
            let mut next = self.clone();
            let what = next.change(rng);
            if let Some(next) = next.repaired().filter(|next| next.spec != self.spec) {
                return (next, what);
            }
        }
        (self.clone(), "nothing")
    }

    fn change(&mut self, rng: &mut Rng) -> &'static str {
        let file = &mut self.spec.file;
        let job = rng.below(file.jobs.len().max(1));
        let dataset = rng.below(file.datasets.len());
        match rng.below(if file.jobs.is_empty() { 1 } else { 22 }) {
            20 | 21 => {
                self.move_dataset(dataset);
                "a dataset moved"
            }
            18 => {
                limit(rng, &mut file.jobs[job], &file.pools);
                "other limits of a job"
            }
            19 => {
                match (file.pools.pop(), rng.percent(50)) {
                    (Some(pool), true) => {
                        for job in &mut file.jobs {
                            job.policy.pools.remove(&pool.label);
                        }
                    }
                    (Some(pool), false) => file.pools.push(PoolEntry { slots: pool.slots + 1, ..pool }),
                    (None, _) => file.datasets[dataset].policy.max_running = Some(1 + rng.below(3) as u32),
                }
                "other pools or limits of a dataset"
            }
            0 => {
                if let Some(next) = self.with_job(rng) {
                    *self = next;
                }
                "a job more"
            }
            1..=3 if rng.percent(30) || file.jobs[job].policy.on_code_change == OnCodeChange::Keep => {
                let before = file.jobs[job].program.code.take().unwrap_or_default();
                file.jobs[job].program.code = Some(format!("{}+{}", essence(&before), rng.below(3)));
                "other code that does the same"
            }
            1..=3 => {
                file.jobs[job].program.code = Some((*rng.pick(&CODES)).to_owned());
                "other code"
            }
            4 if rng.percent(40) => {
                let job = &mut file.jobs[job];
                if job.params.remove(PARAM).is_none() || rng.percent(50) {
                    job.params.insert(PARAM.to_owned(), rng.below(2).to_string());
                }
                "other parameters"
            }
            4 => {
                file.jobs[job].program.args = vec![format!("--level={}", rng.below(3))];
                "other arguments"
            }
            5 => {
                let home = file.jobs[job].outputs[0].clone();
                let dims = file.datasets.iter().find(|d| d.name == home).map(|d| d.dims.clone());
                let own = file.jobs[job].outputs.clone();
                let others: Vec<String> =
                    file.datasets.iter().map(|d| d.name.clone()).filter(|name| !own.contains(name)).collect();
                if !others.is_empty() {
                    let inputs = random_inputs(rng, &self.spec, &others, &dims.unwrap_or_default());
                    let inputs: Vec<_> = inputs.into_iter().map(|reads| self.spec.input(reads)).collect();
                    self.spec.file.jobs[job].inputs = inputs;
                }
                "other inputs"
            }
            6 => {
                let gone = file.jobs.remove(job);
                if rng.percent(70) {
                    file.datasets.retain(|d| !gone.outputs.contains(&d.name));
                } else {
                    for dataset in file.datasets.iter_mut().filter(|d| gone.outputs.contains(&d.name)) {
                        dataset.external = true;
                        dataset.path = Some(path_of(dataset));
                    }
                }
                "a job less"
            }
            7 => {
                self.named += 1;
                let to = format!("//:renamed{}", self.named);
                let from = std::mem::replace(&mut file.jobs[job].label, to.clone());
                if rng.percent(50) {
                    file.moved.push(MovedEntry::Job { from, to });
                    return "a job moved";
                }
                "a job renamed"
            }
            8 | 9 => {
                let start = 28 + rng.below(4);
                for dim in &mut file.datasets[dataset].dims {
                    if let KeysEntry::Time { granularity: GranularityName::Day, start: from, .. } =
                        &mut dim.keys
                    {
                        *from = format!("2019-12-{start}");
                    }
                }
                self.same_dims_for_siblings(dataset);
                "another start"
            }
            10 | 11 => {
                let cities = random_cities(rng);
                for dim in file.datasets[dataset].dims.iter_mut().filter(|dim| dim.name == "city") {
                    dim.keys = if rng.percent(20) {
                        dynamic("city", KEYS).keys
                    } else {
                        KeysEntry::Static { keys: cities.clone() }
                    };
                }
                self.same_dims_for_siblings(dataset);
                "other cities"
            }
            12 => {
                let entry = &mut file.datasets[dataset];
                if !entry.external {
                    entry.path = match &entry.path {
                        Some(path) if rng.percent(50) => Some(format!("moved/{path}")),
                        Some(_) => None,
                        None => Some(path_of(entry)),
                    };
                }
                "another path"
            }
            13 => {
                file.jobs[job].policy.retries = rng.below(4) as u32;
                "other retries"
            }
            17 => {
                let home = &file.jobs[job].outputs[0];
                let dims = file.datasets.iter().find(|d| d.name == *home).map(|d| d.dims.clone());
                file.jobs[job].batch = random_batch(rng, &dims.unwrap_or_default());
                "other batches"
            }
            14 => {
                let entry = &mut file.jobs[job];
                if entry.outputs.len() > 1 {
                    // The second output gets a job of its own.
                    let mut other = entry.clone();
                    other.label.push_str("-split");
                    other.outputs = entry.outputs.split_off(1);
                    file.jobs.push(other);
                }
                "a job split"
            }
            15 => {
                let edges = [EdgeName::Clip, EdgeName::Skip, EdgeName::Fail];
                for input in &mut file.jobs[job].inputs {
                    (input.before_start, input.after_end) = (*rng.pick(&edges), *rng.pick(&edges));
                }
                "other edges"
            }
            _ => {
                for dim in &mut file.datasets[dataset].dims {
                    if let KeysEntry::Time { end, granularity: GranularityName::Day, .. } = &mut dim.keys {
                        *end = random_end(rng);
                    }
                }
                self.same_dims_for_siblings(dataset);
                "another end"
            }
        }
    }

    /// All outputs of a job have the same dimensions.
    fn same_dims_for_siblings(&mut self, dataset: usize) {
        let file = &mut self.spec.file;
        let (name, dims) = (file.datasets[dataset].name.clone(), file.datasets[dataset].dims.clone());
        for job in file.jobs.iter().filter(|job| job.outputs.contains(&name)) {
            for other in file.datasets.iter_mut().filter(|d| job.outputs.contains(&d.name)) {
                other.dims.clone_from(&dims);
            }
        }
    }
}

fn random_cities(rng: &mut Rng) -> Vec<String> {
    let mut keys: Vec<String> =
        CITIES.iter().filter(|_| rng.percent(60)).map(|city| (*city).to_owned()).collect();
    if keys.is_empty() {
        keys.push(CITIES[0].to_owned());
    }
    keys
}

fn random_end(rng: &mut Rng) -> Option<String> {
    rng.percent(50).then(|| format!("2020-01-0{}", 1 + rng.below(5)))
}

fn random_dims(rng: &mut Rng) -> Vec<DimEntry> {
    let city = |rng: &mut Rng| {
        if rng.below(3) == 0 {
            return dynamic("city", KEYS);
        }
        let cities = random_cities(rng);
        listed("city", &cities.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let date = |rng: &mut Rng| {
        days("date", &format!("2019-12-{}", 28 + rng.below(4)), &random_end(rng).unwrap_or_default())
    };
    match rng.below(8) {
        0 => vec![],
        1 => vec![city(rng)],
        2 | 3 => vec![date(rng)],
        4 => vec![months("month", "2019-11", "")],
        5 => vec![city(rng), months("month", "2019-12", "")],
        _ => vec![city(rng), date(rng)],
    }
}

fn random_batch(rng: &mut Rng, dims: &[DimEntry]) -> Option<BatchEntry> {
    if dims.is_empty() || rng.percent(40) {
        return None;
    }
    Some(BatchEntry { dim: rng.pick(dims).name.clone(), max: 2 + rng.below(4) as u32 })
}

/// What a job takes, and how much of it there may be.
fn limit(rng: &mut Rng, job: &mut JobEntry, pools: &[PoolEntry]) {
    job.policy.pools.clear();
    for pool in pools {
        if rng.percent(40) {
            job.policy.pools.insert(pool.label.clone(), 1 + rng.below(pool.slots as usize) as u32);
        }
    }
    job.policy.cpus = rng.percent(20).then(|| 1 + rng.below(4) as u32);
    job.policy.memory = rng.percent(30).then(|| 1 + rng.below(10) as u64);
    job.policy.max_running = rng.percent(15).then(|| 1 + rng.below(3) as u32);
    job.policy.rate = rng.percent(15).then(|| Rate {
        count: 1 + rng.below(3) as u32,
        period: Duration::from_secs(1 + rng.below(60) as u64),
    });
}

fn random_inputs(rng: &mut Rng, spec: &GraphSpec, upstream: &[String], dims: &[DimEntry]) -> Vec<Reads> {
    let edges = [EdgeName::Clip, EdgeName::Clip, EdgeName::Skip, EdgeName::Fail];
    (0..1 + rng.below(2))
        .map(|ix| {
            let dataset = rng.pick(upstream);
            let entry = spec.file.datasets.iter().find(|d| d.name == *dataset).expect("it is upstream");
            let mut input = reads(dataset).named(&format!("in{ix}"));
            for dim in &entry.dims {
                input = input.rule(&dim.name, random_rule(rng, dim, dims));
            }
            input.edges(*rng.pick(&edges), *rng.pick(&edges))
        })
        .collect()
}

fn random_rule(rng: &mut Rng, dim: &DimEntry, outputs: &[DimEntry]) -> RuleEntry {
    let has = |name: &str| outputs.iter().any(|dim| dim.name == name);
    let of = || dim.name.clone();
    let mut rules = vec![RuleEntry::All {}];
    match &dim.keys {
        KeysEntry::Static { keys } => {
            rules.push(RuleEntry::Only { keys: vec![rng.pick(keys).clone()] });
            if has(&dim.name) {
                rules = [rules, vec![RuleEntry::Same { of: of() }; 5]].concat();
            }
        }
        KeysEntry::Dynamic { .. } => {
            rules.push(RuleEntry::Only { keys: vec![(*rng.pick(&CITIES)).to_owned()] });
            if has(&dim.name) {
                rules = [rules, vec![RuleEntry::Same { of: of() }; 5]].concat();
            }
        }
        KeysEntry::Time { start, .. } => {
            rules.push(RuleEntry::Latest { count: 1 + rng.below(3) as u32 });
            rules.push(RuleEntry::Only { keys: vec![start.clone()] });
            if has(&dim.name) {
                let by = [-2, -1, 1][rng.below(3)];
                let count = 2 + rng.below(3) as u32;
                rules = [
                    rules,
                    vec![RuleEntry::Same { of: of() }; 3],
                    vec![RuleEntry::Window { of: of(), count }; 3],
                    vec![RuleEntry::Offset { of: of(), by }; 2],
                ]
                .concat();
            } else if dim.name == "date" && has("month") {
                rules = [rules, vec![RuleEntry::Rollup { of: "month".to_owned() }; 4]].concat();
            } else if dim.name == "month" && has("date") {
                rules = [rules, vec![RuleEntry::Fanout { of: "date".to_owned() }; 4]].concat();
            }
        }
    }
    rng.pick(&rules).clone()
}
