//! Graph files from a few lines.
//!
//! ```ignore
//! let graph = GraphSpec::new()
//!     .external("raw", &[listed("city", &["oslo"]), days("date", "2010-01-01", "2010-01-31")])
//!     .job("ingest", &["hourly"], &[listed("city", &["oslo"])], vec![reads("raw").all("date")]);
//! ```

use databuild_core::event::GraphRegistered;
use databuild_core::graph::file::{
    BatchEntry, CheckEntry, DatasetEntry, DimEntry, EdgeName, GranularityName, GraphFile, InputDimEntry,
    InputEntry, JobEntry, KeysEntry, MovedEntry, PoolEntry, ProgramEntry, RuleEntry, ScheduleEntry, FORMAT,
};
use databuild_core::graph::{DatasetPolicy, Graph, GraphProblem, JobPolicy};
use databuild_core::ids::GraphId;
use databuild_core::symbols::Symbols;
use std::collections::BTreeMap;
use std::time::Duration;

pub fn listed(name: &str, keys: &[&str]) -> DimEntry {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    DimEntry { name: name.to_owned(), keys: KeysEntry::Static { keys } }
}

/// Keys that come and go; all dimensions that name the same set share it.
pub fn dynamic(name: &str, set: &str) -> DimEntry {
    DimEntry { name: name.to_owned(), keys: KeysEntry::Dynamic { name: Some(set.to_owned()) } }
}

pub fn time(name: &str, granularity: GranularityName, start: &str, end: &str, zone: &str) -> DimEntry {
    let end = (!end.is_empty()).then(|| end.to_owned());
    let keys = KeysEntry::Time { granularity, start: start.to_owned(), end, timezone: zone.to_owned() };
    DimEntry { name: name.to_owned(), keys }
}

/// Days in UTC; an empty end means that there is none.
pub fn days(name: &str, start: &str, end: &str) -> DimEntry {
    time(name, GranularityName::Day, start, end, "UTC")
}

pub fn months(name: &str, start: &str, end: &str) -> DimEntry {
    time(name, GranularityName::Month, start, end, "UTC")
}

/// An input, named after its dataset; dimensions not spoken of have the same keys as the outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Reads {
    name: String,
    dataset: String,
    rules: Vec<(String, RuleEntry)>,
    before_start: EdgeName,
    after_end: EdgeName,
}

pub fn reads(dataset: &str) -> Reads {
    Reads {
        name: dataset.to_owned(),
        dataset: dataset.to_owned(),
        rules: Vec::new(),
        before_start: EdgeName::Fail,
        after_end: EdgeName::Fail,
    }
}

impl Reads {
    pub fn named(mut self, name: &str) -> Reads {
        name.clone_into(&mut self.name);
        self
    }

    pub fn rule(mut self, dim: &str, rule: RuleEntry) -> Reads {
        self.rules.push((dim.to_owned(), rule));
        self
    }

    pub fn window(self, dim: &str, count: u32) -> Reads {
        self.rule(dim, RuleEntry::Window { of: dim.to_owned(), count })
    }

    pub fn offset(self, dim: &str, by: i32) -> Reads {
        self.rule(dim, RuleEntry::Offset { of: dim.to_owned(), by })
    }

    pub fn rollup(self, dim: &str, of: &str) -> Reads {
        self.rule(dim, RuleEntry::Rollup { of: of.to_owned() })
    }

    pub fn fanout(self, dim: &str, of: &str) -> Reads {
        self.rule(dim, RuleEntry::Fanout { of: of.to_owned() })
    }

    pub fn all(self, dim: &str) -> Reads {
        self.rule(dim, RuleEntry::All {})
    }

    pub fn latest(self, dim: &str, count: u32) -> Reads {
        self.rule(dim, RuleEntry::Latest { count })
    }

    pub fn only(self, dim: &str, keys: &[&str]) -> Reads {
        self.rule(dim, RuleEntry::Only { keys: keys.iter().map(|key| (*key).to_owned()).collect() })
    }

    pub fn edges(mut self, before_start: EdgeName, after_end: EdgeName) -> Reads {
        (self.before_start, self.after_end) = (before_start, after_end);
        self
    }

    /// What does not exist is not needed.
    pub fn clip(self) -> Reads {
        self.edges(EdgeName::Clip, EdgeName::Clip)
    }
}

/// A schedule that fires every so many seconds and makes up for all that was missed.
pub fn every_seconds(name: &str, seconds: u64, targets: &[&str]) -> ScheduleEntry {
    ScheduleEntry {
        label: format!("//:{name}"),
        cron: None,
        time_zone: None,
        every_ms: Some(seconds * 1000),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        class: "interactive".to_owned(),
        missed: "all".to_owned(),
        missed_within_ms: None,
        jitter_ms: 0,
        until: None,
        times: None,
    }
}

/// A graph file in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphSpec {
    pub file: GraphFile,
}

impl GraphSpec {
    pub fn new() -> GraphSpec {
        let label = "//:databuild".to_owned();
        GraphSpec {
            file: GraphFile {
                format: FORMAT,
                label,
                datasets: Vec::new(),
                jobs: Vec::new(),
                pools: Vec::new(),
                keep_events_ms: None,
                moved: Vec::new(),
                checks: Vec::new(),
                schedules: Vec::new(),
            },
        }
    }

    fn add_dataset(&mut self, name: &str, dims: &[DimEntry], external: bool) {
        let (name, label) = (name.to_owned(), format!("//:{name}"));
        self.file.datasets.push(DatasetEntry {
            name,
            label,
            external,
            dims: dims.to_vec(),
            path: None,
            policy: DatasetPolicy::default(),
            observe: None,
        });
    }

    /// A dataset that nobody builds.
    pub fn external(mut self, name: &str, dims: &[DimEntry]) -> GraphSpec {
        self.add_dataset(name, dims, true);
        self
    }

    /// A job with the datasets it makes.
    pub fn job(mut self, name: &str, outputs: &[&str], dims: &[DimEntry], inputs: Vec<Reads>) -> GraphSpec {
        for output in outputs {
            self.add_dataset(output, dims, false);
        }
        self.job_alone(name, outputs, inputs)
    }

    /// A job whose outputs are there already.
    pub fn job_alone(mut self, name: &str, outputs: &[&str], inputs: Vec<Reads>) -> GraphSpec {
        let inputs = inputs.into_iter().map(|reads| self.input(reads)).collect();
        self.file.jobs.push(JobEntry {
            label: format!("//:{name}"),
            program: program(name, None),
            params: BTreeMap::new(),
            inputs,
            outputs: outputs.iter().map(|output| (*output).to_owned()).collect(),
            batch: None,
            policy: JobPolicy {
                backoff: Duration::from_secs(1),
                backoff_max: Duration::from_secs(60),
                ..JobPolicy::default()
            },
            sources: format!("_main/{name}.sources.json"),
            adds_keys: Vec::new(),
        });
        self
    }

    /// The input as the rules would write it, with a rule for every dimension.
    pub fn input(&self, reads: Reads) -> InputEntry {
        let dims = self.file.datasets.iter().find(|d| d.name == reads.dataset).map_or(&[][..], |d| &d.dims);
        let mut rules = reads.rules;
        for dim in dims {
            if !rules.iter().any(|(name, _)| *name == dim.name) {
                rules.push((dim.name.clone(), RuleEntry::Same { of: dim.name.clone() }));
            }
        }
        InputEntry {
            name: reads.name,
            dataset: reads.dataset,
            dims: rules.into_iter().map(|(dim, rule)| InputDimEntry { dim, rule }).collect(),
            before_start: reads.before_start,
            after_end: reads.after_end,
        }
    }

    /// Changes the job declared last.
    pub fn with(mut self, change: impl FnOnce(&mut JobEntry)) -> GraphSpec {
        change(self.file.jobs.last_mut().expect("declare a job first"));
        self
    }

    /// Runs of the job declared last make up to `max` partitions that differ in `dim`.
    pub fn batch(self, dim: &str, max: u32) -> GraphSpec {
        self.with(|job| job.batch = Some(BatchEntry { dim: dim.to_owned(), max }))
    }

    /// A pool.
    pub fn pool(mut self, name: &str, slots: u32) -> GraphSpec {
        self.file.pools.push(PoolEntry { label: format!("//:{name}"), slots });
        self
    }

    /// Runs of the job declared last take so much of a pool.
    pub fn takes(self, pool: &str, slots: u32) -> GraphSpec {
        self.with(|job| {
            job.policy.pools.insert(format!("//:{pool}"), slots);
        })
    }

    /// A dataset was moved.
    pub fn moved(mut self, from: &str, to: &str) -> GraphSpec {
        self.file.moved.push(MovedEntry::Dataset { from: from.to_owned(), to: to.to_owned() });
        self
    }

    /// A dimension was moved.
    pub fn moved_dim(mut self, dataset: &str, from: &str, to: &str) -> GraphSpec {
        let (dataset, from, to) = (dataset.to_owned(), from.to_owned(), to.to_owned());
        self.file.moved.push(MovedEntry::Dimension { dataset, from, to });
        self
    }

    /// A job was moved.
    pub fn moved_job(mut self, from: &str, to: &str) -> GraphSpec {
        self.file.moved.push(MovedEntry::Job { from: format!("//:{from}"), to: format!("//:{to}") });
        self
    }

    /// A check of a dataset, blocking.
    pub fn check(self, name: &str, dataset: &str) -> GraphSpec {
        self.check_with(name, dataset, |_| {})
    }

    /// A check that is changed.
    pub fn check_with(
        mut self,
        name: &str,
        dataset: &str,
        change: impl FnOnce(&mut CheckEntry),
    ) -> GraphSpec {
        let mut entry = CheckEntry {
            label: format!("//:{name}"),
            dataset: dataset.to_owned(),
            blocking: true,
            program: program(name, Some(300_000)),
        };
        change(&mut entry);
        self.file.checks.push(entry);
        self
    }

    /// Changes a dataset.
    pub fn dataset(mut self, name: &str, change: impl FnOnce(&mut DatasetEntry)) -> GraphSpec {
        change(self.file.datasets.iter_mut().find(|d| d.name == name).expect("declare the dataset first"));
        self
    }

    /// Changes a job.
    pub fn change(mut self, name: &str, change: impl FnOnce(&mut JobEntry)) -> GraphSpec {
        let label = format!("//:{name}");
        change(self.file.jobs.iter_mut().find(|job| job.label == label).expect("declare the job first"));
        self
    }

    /// The job's code is another.
    pub fn code(self, name: &str, code: &str) -> GraphSpec {
        self.change(name, |job| job.program.code = Some(code.to_owned()))
    }

    /// Partitions of all datasets are files.
    pub fn files(mut self) -> GraphSpec {
        for dataset in &mut self.file.datasets {
            dataset.path = Some(path_of(dataset));
        }
        self
    }

    pub fn json(&self) -> String {
        serde_json::to_string(&self.file).expect("a graph file is JSON")
    }

    pub fn registration(&self) -> GraphRegistered {
        let content = self.json();
        GraphRegistered {
            graph: GraphId::of(&content),
            content: content.into(),
            inherited: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    pub fn parse(&self) -> Result<Graph, Vec<GraphProblem>> {
        Graph::parse_new(&self.json(), &mut Symbols::new())
    }
}

pub fn program(name: &str, timeout_ms: Option<u64>) -> ProgramEntry {
    ProgramEntry {
        executable: format!("_main/{name}"),
        args: Vec::new(),
        env: BTreeMap::new(),
        env_inherit: Vec::new(),
        timeout_ms,
        grace_ms: Some(5_000),
        manifest: format!("_main/{name}.code.manifest"),
        code: Some(format!("code of {name}")),
    }
}

/// A path that names every dimension.
pub fn path_of(dataset: &DatasetEntry) -> String {
    let dims: String = dataset.dims.iter().map(|dim| format!("/{{{}}}", dim.name)).collect();
    format!("out/{}{dims}.csv", dataset.name)
}
