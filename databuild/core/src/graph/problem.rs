//! What can be wrong with a graph, as it is told to the person who wrote it.

use std::fmt;

/// One thing wrong with a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({label})")]
pub struct GraphProblem {
    /// Stable name of the kind.
    pub code: ProblemCode,
    /// The target at fault.
    pub label: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Kinds of problems. The texts are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $name,)*
        }

        impl fmt::Display for ProblemCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(ProblemCode::$name => $text,)* })
            }
        }
    };
}

problem_codes! {
    /// Not JSON of the expected shape.
    Malformed = "malformed_graph",
    /// A format number this version does not know.
    UnsupportedFormat = "unsupported_format",
    /// Two datasets of one name.
    DuplicateDataset = "duplicate_dataset",
    /// Two jobs of one label.
    DuplicateJob = "duplicate_job",
    /// Two dimensions of one name.
    DuplicateDimension = "duplicate_dimension",
    /// Two inputs of one name.
    DuplicateInput = "duplicate_input",
    /// A name that references cannot spell.
    BadName = "bad_name",
    /// A static key that references cannot spell.
    BadKey = "bad_key",
    /// A time key that is not one of its granularity.
    BadTimeKey = "bad_time_key",
    /// No keys at all.
    EmptyKeySpace = "empty_key_space",
    /// No such time zone.
    UnknownTimezone = "unknown_timezone",
    /// A mapping between calendars of two zones.
    TimezoneMismatch = "timezone_mismatch",
    /// A mapping that does not fit the two granularities or kinds of keys.
    GranularityMismatch = "granularity_mismatch",
    /// A rule that names no dimension.
    UnknownDimension = "unknown_dimension",
    /// A rule that names no key.
    UnknownKey = "unknown_key",
    /// An input or output that is no dataset of the graph.
    UnknownDataset = "unknown_dataset",
    /// A dimension of an input without a rule.
    UnmappedDimension = "unmapped_dimension",
    /// Two jobs make one dataset.
    TwoProducers = "two_producers",
    /// Nobody makes a dataset that is read.
    NoProducer = "no_producer",
    /// A job makes a dataset that is declared external.
    ExternalProduced = "external_produced",
    /// Jobs that wait for each other.
    Cycle = "cycle",
    /// Outputs of one job with different dimensions.
    OutputDimsDiffer = "output_dims_differ",
    /// A job without outputs.
    NoOutputs = "no_outputs",
    /// A path or argument template that cannot be filled.
    BadTemplate = "bad_template",
    /// Two datasets in one place.
    PathClash = "path_clash",
    /// An output in a folder that is DataBuild's, Git's or Bazel's.
    ReservedPath = "reserved_path",
    /// Output keys that need keys which do not exist.
    MappingHole = "mapping_hole",
    /// A window or a count of zero, an offset of zero.
    BadRule = "bad_rule",
    /// Not a name of an environment variable.
    BadEnvName = "bad_env_name",
    /// A dynamic key space that no dataset has.
    UnknownKeySpace = "unknown_key_space",
    /// A time limit of zero.
    BadTimeout = "bad_timeout",
    /// A batch of an impossible size, or of a job that can only make one partition.
    BadBatch = "bad_batch",
    /// Two pools of one label, or one without slots.
    BadPool = "bad_pool",
    /// A job that takes of a pool which the graph does not have.
    UnknownPool = "unknown_pool",
    /// A job that takes more of a pool than there is.
    PoolTooSmall = "pool_too_small",
    /// A parameter with a name or default that cannot be, or too many of them.
    BadParam = "bad_param",
    /// A schedule that cannot be, or is listed twice.
    BadSchedule = "bad_schedule",
    /// Two checks of one label.
    DuplicateCheck = "duplicate_check",
    /// A check of data that no job makes.
    ExternalChecked = "external_checked",
    /// A limit of zero, or one that cannot be kept.
    BadLimit = "bad_limit",
    /// An owner that is no line of text.
    BadOwner = "bad_owner",
    /// Renames that contradict each other or the graph.
    BadMoved = "bad_moved",
    /// An observation that makes no sense, or whose URL holds a secret.
    BadObserver = "bad_observer",
}

/// What is wrong with a graph file, as it is found.
///
/// Two kinds are told apart, so that a log can be read for as long as it exists, whatever later versions think of the
/// graphs in it:
///
/// - A graph that breaks a *rule* means something all the same. Rules are for new graphs alone, so one may be added at
///   any time.
/// - What *blocks* leaves nothing to read. It must be asked of nothing that a graph of the past may have.
#[derive(Debug)]
pub(super) struct Problems {
    found: Vec<GraphProblem>,
    rules_count: bool,
}

impl Problems {
    /// Of a graph that is to be followed from now on.
    pub(super) fn of_new() -> Problems {
        Problems { found: Vec::new(), rules_count: true }
    }

    /// Of a graph that was registered once: rules do not count.
    pub(super) fn of_past() -> Problems {
        Problems { found: Vec::new(), rules_count: false }
    }

    /// A new graph must not be like that.
    pub(super) fn rule(&mut self, problem: GraphProblem) {
        if self.rules_count {
            self.found.push(problem);
        }
    }

    /// There is no graph to be made of that.
    pub(super) fn block(&mut self, problem: GraphProblem) {
        self.found.push(problem);
    }

    /// How many count so far.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether nothing was found, or else what.
    pub(super) fn none(&mut self) -> Result<(), Vec<GraphProblem>> {
        match std::mem::take(&mut self.found) {
            found if found.is_empty() => Ok(()),
            found => Err(found),
        }
    }
}

impl GraphProblem {
    /// A problem at `label`.
    #[must_use]
    pub fn new(
        code: ProblemCode,
        label: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> GraphProblem {
        GraphProblem { code, label: label.into(), message: message.into(), help: help.into() }
    }
}
