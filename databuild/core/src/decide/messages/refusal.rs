//! Why a request is refused, in words for the person who asked.

use crate::event::PartitionText;
use crate::ids::{AttemptId, PlanId, RunId, TrialId, WantId};
use crate::state::Made;

/// Why only a deployment changes the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OnlyDeployed {
    /// Another graph may start other work, or none, without anybody asking.
    #[error("the graph that is followed starts work by itself")]
    ActiveGraph,
    /// The workspace says so.
    #[error("the setting `deploy` is `explicit`")]
    Setting,
}

/// A request that cannot be met. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No graph yet.
    #[error("no graph is registered yet; run `bazel run //:databuild -- deploy` once")]
    NoGraph,
    /// The graph cannot be read.
    #[error("the graph is invalid: {0}")]
    BadGraph(String),
    /// Another graph was registered meanwhile.
    #[error("another graph was registered meanwhile ({0}); ask again")]
    OtherGraph(String),
    /// Only somebody who deploys changes the graph.
    #[error("only `databuild deploy` changes the graph here, since {0}")]
    NotDeployed(OnlyDeployed),
    /// Files were looked at for another graph than the one that is registered by now.
    #[error("another graph was registered while the server looked at files ({0}); ask again")]
    GraphReplaced(String),
    /// A reference that cannot be resolved.
    #[error(transparent)]
    BadReference(Box<crate::reference::ReferenceError>),
    /// No such live want.
    #[error("there is no live want {0}")]
    UnknownWant(WantId),
    /// No such live run.
    #[error("there is no live run {0}")]
    UnknownRun(RunId),
    /// A message about an attempt that is not the run's current one.
    #[error("attempt {0} is not under way")]
    UnknownAttempt(AttemptId),
    /// No plan ever had this id.
    #[error("there is no plan {0}")]
    UnknownPlan(PlanId),
    /// No trial of this id is kept.
    #[error("there is no trial {0}")]
    UnknownTrial(TrialId),
    /// The trial is over.
    #[error("{0} is over already")]
    TrialEnded(TrialId),
    /// What nobody makes cannot be made again.
    #[error("`{0}` is external, so no job makes it")]
    NotRepeatable(String),
    /// A trial does not show what it is to show.
    #[error("{trial} is no evidence for that: {reason}")]
    NoEvidence {
        /// The trial.
        trial: TrialId,
        /// What is missing.
        reason: String,
    },
    /// The plan is too old, or was dropped for newer ones.
    #[error("{0} has expired; plan again")]
    PlanExpired(PlanId),
    /// What the plan rests on is not as it was.
    #[error("{plan} does not hold any more: {}; plan again", summary(changes))]
    PlanOutdated {
        /// Which plan.
        plan: PlanId,
        /// What changed, for people.
        changes: Vec<String>,
    },
    /// Another token has the name, or had it.
    #[error("there is, or was, a token `{0}`; give the new one another name")]
    TokenNameTaken(String),
    /// It would be worth nothing from the beginning.
    #[error("the token `{0}` would end before it begins")]
    TokenEnded(String),
    /// No token ever had this name.
    #[error("there is no token `{0}`")]
    UnknownToken(String),
    /// A key names one request.
    #[error("the idempotency key `{key}` was used for another request, which {made}; send a new key")]
    KeyReused {
        /// The key.
        key: String,
        /// What the request made that had it first.
        made: Made,
    },
    /// Nothing was asked for.
    #[error("name at least one dataset or partition")]
    NoTargets,
    /// A taint needs one.
    #[error("say why: `--reason TEXT`")]
    NoReason,
    /// No data.
    #[error("none of these partitions is built, so there is nothing to taint")]
    NothingToTaint,
    /// No job of that label.
    #[error("there is no job `{0}` in the graph")]
    UnknownJob(String),
    /// The job has another label now.
    #[error("job `{from}` was moved to `{to}`; name that")]
    JobMoved {
        /// What was given.
        from: String,
        /// Its label of now.
        to: String,
    },
    /// A name that several jobs have.
    #[error("`{text}` may mean {}; write the label", jobs.join(" or "))]
    AmbiguousJob {
        /// What was given.
        text: String,
        /// Labels of jobs that have it.
        jobs: Vec<String>,
    },
    /// A parameter that the job does not declare.
    #[error("{job} has no parameter `{}`; {}", crate::text::shown(.name), parameters(known))]
    UnknownParam {
        /// The job.
        job: String,
        /// What was given.
        name: String,
        /// What it declares.
        known: Vec<String>,
    },
    /// A value that no parameter can have.
    #[error("the value of parameter `{name}` cannot be: {fault}")]
    BadParam {
        /// The parameter.
        name: String,
        /// What is wrong.
        fault: String,
    },
    /// A reference to what another job makes.
    #[error("`{dataset}` is not made by {job}")]
    NotOfJob {
        /// The job that was named.
        job: String,
        /// The dataset.
        dataset: String,
    },
    /// What is adopted are files of built partitions.
    #[error("`{0}` is external or not made of files, so there is nothing to adopt")]
    NotAdoptable(String),
    /// What is adopted counts as made from its inputs as they are, and of one nobody knows what it is.
    #[error(
        "`{partition}` cannot be adopted: it is made from `{input}`, which could not be observed: {message}"
    )]
    InputUnseen {
        /// What was to be adopted.
        partition: PartitionText,
        /// The dataset that could not be observed.
        input: String,
        /// What went wrong.
        message: String,
    },
    /// No change.
    #[error(
        "none of these partitions is stale because its job's code or arguments changed, so there is nothing to accept"
    )]
    NothingToAccept,
    /// No taint.
    #[error("none of these partitions is tainted")]
    NothingToUntaint,
    /// A dynamic key space that the graph does not have.
    #[error("there is no dynamic key space `{name}`; {}", crate::text::known(.near, .some, *.count))]
    UnknownKeySpace {
        /// What was given, escaped.
        name: String,
        /// How many there are.
        count: usize,
        /// Up to five that look like it.
        near: Vec<String>,
        /// The first five.
        some: Vec<String>,
    },
    /// A text that cannot be a key.
    #[error("`{key}` cannot be a key: {fault}{}; nothing was added", others(*.more, "cannot either"))]
    BadKey {
        /// What was given, escaped.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
        /// How many more are as bad.
        more: usize,
    },
    /// A key that is to be retired and was never there.
    #[error("`{key}` was never a key of `{space}`{}; nothing was retired", others(*.more, "were not either"))]
    NoSuchKey {
        /// The key space.
        space: String,
        /// What was given, escaped.
        key: String,
        /// How many more are unknown.
        more: usize,
    },
    /// No such schedule.
    #[error("the graph has no schedule `{name}`; {}", schedules(known))]
    UnknownSchedule {
        /// What was asked for.
        name: String,
        /// Schedules there are.
        known: Vec<String>,
    },
    /// No such pool.
    #[error("the graph has no pool `{name}`; {}", choice(known))]
    UnknownPool {
        /// What was asked for.
        name: String,
        /// Pools there are.
        known: Vec<String>,
    },
}

pub(crate) fn others(more: usize, verb: &str) -> String {
    if more == 0 {
        String::new()
    } else {
        format!("; {more} more {verb}")
    }
}

/// The first changes of many.
fn summary(changes: &[String]) -> String {
    const FIRST: usize = 3;
    let mut text = changes.iter().take(FIRST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if changes.len() > FIRST {
        text.push_str(&format!("; and {} more changes", changes.len() - FIRST));
    }
    text
}

fn parameters(known: &[String]) -> String {
    if known.is_empty() {
        "declare it in `params` of databuild_job".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    }
}

fn choice(known: &[String]) -> String {
    if known.is_empty() {
        "declare one with databuild_pool, and name it in `pools` of a job".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    }
}

fn schedules(known: &[String]) -> String {
    if known.is_empty() {
        "declare one with databuild_schedule, and list it in `schedules` of the graph".to_owned()
    } else {
        format!("it has {}", crate::text::first_of(known.iter().cloned(), crate::text::SOME))
    }
}

impl From<crate::reference::ReferenceError> for Refusal {
    fn from(error: crate::reference::ReferenceError) -> Refusal {
        Refusal::BadReference(Box::new(error))
    }
}

impl Refusal {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NoGraph => "no_graph",
            Refusal::BadGraph(_) => "graph_invalid",
            Refusal::OtherGraph(_) => "graph_changed",
            Refusal::NotDeployed(_) => "deploy_needed",
            Refusal::GraphReplaced(_) => "graph_replaced",
            Refusal::BadReference(error) => error.code(),
            Refusal::UnknownWant(_) => "want_not_found",
            Refusal::UnknownRun(_) => "run_not_found",
            Refusal::UnknownAttempt(_) => "attempt_not_found",
            Refusal::UnknownPlan(_) => "plan_not_found",
            Refusal::UnknownTrial(_) => "trial_not_found",
            Refusal::TrialEnded(_) => "trial_ended",
            Refusal::NotRepeatable(_) => "not_repeatable",
            Refusal::NoEvidence { .. } => "no_evidence",
            Refusal::PlanExpired(_) => "plan_expired",
            Refusal::PlanOutdated { .. } => "plan_outdated",
            Refusal::TokenNameTaken(_) => "token_name_taken",
            Refusal::TokenEnded(_) => "bad_expiry",
            Refusal::UnknownToken(_) => "token_not_found",
            Refusal::KeyReused { .. } => "idempotency_key_reused",
            Refusal::NoTargets => "no_targets",
            Refusal::NoReason => "no_reason",
            Refusal::NothingToTaint => "nothing_to_taint",
            Refusal::NothingToUntaint => "nothing_to_untaint",
            Refusal::UnknownJob(_) => "unknown_job",
            Refusal::JobMoved { .. } => "moved",
            Refusal::AmbiguousJob { .. } => "ambiguous_job",
            Refusal::UnknownParam { .. } => "unknown_param",
            Refusal::BadParam { .. } => "bad_param",
            Refusal::NotOfJob { .. } => "not_of_job",
            Refusal::NothingToAccept => "nothing_to_accept",
            Refusal::NotAdoptable(_) => "not_adoptable",
            Refusal::InputUnseen { .. } => "not_observed",
            Refusal::UnknownKeySpace { .. } => "unknown_key_space",
            Refusal::BadKey { .. } => "bad_key",
            Refusal::NoSuchKey { .. } => "unknown_key",
            Refusal::UnknownPool { .. } => "pool_not_found",
            Refusal::UnknownSchedule { .. } => "schedule_not_found",
        }
    }
}
