//! Which datasets whoever asks may see, and what of jobs, runs, wants and events follows from that.
//!
//! Invariants:
//! - A job is seen if all that it makes is; a run if its job is; a want, a plan or a trial if all that it names is.
//! - What is not seen is told as what is not there: it is in no list and no count, and whoever names it learns that there is none
//!   ([`crate::subjects`]).
//! - Texts of others that name it nevertheless, such as reasons, are told without it ([`crate::veil`]).

use databuild_core::decide::queue::Counted;
use databuild_core::graph::{DatasetIx, Graph, JobIx};
use databuild_core::ids::WantId;
use databuild_core::reference::dataset_of;
use databuild_core::state::{Run, State, Want};
use std::sync::Arc;

/// Whoever asks, by the datasets that they may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Patterns of names, in which `*` is any text; none for all datasets.
    patterns: Arc<[String]>,
}

impl Audience {
    /// Who may see the datasets that these patterns mean; all, if there are none.
    #[must_use]
    pub fn of(patterns: &[String]) -> Audience {
        Audience { patterns: patterns.into() }
    }

    /// Whether they may see all datasets.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a dataset of this name is seen.
    #[must_use]
    pub fn sees_name(&self, name: &str) -> bool {
        self.sees_all() || self.patterns.iter().any(|pattern| matches(pattern, name))
    }

    /// Whether a dataset of the graph is seen.
    #[must_use]
    pub fn sees_dataset(&self, graph: &Graph, ix: DatasetIx) -> bool {
        self.sees_all() || self.sees_name(&graph.dataset(ix).name)
    }

    /// Whether a job of the graph is seen.
    #[must_use]
    pub fn sees_job(&self, graph: &Graph, job: JobIx) -> bool {
        self.sees_all() || graph.job(job).outputs.iter().all(|output| self.sees_dataset(graph, *output))
    }

    /// Whether the job that has or had this label is seen.
    #[must_use]
    pub fn sees_label(&self, state: &State, label: &str) -> bool {
        let found = || {
            let graph = &state.followed()?.graph;
            Some(self.sees_job(graph, graph.job_once_labeled(label)?))
        };
        self.sees_all() || found().unwrap_or(false)
    }

    /// Whether partitions are seen, as events name them.
    #[must_use]
    pub fn sees_text(&self, state: &State, text: &str) -> bool {
        if self.sees_all() {
            return true;
        }
        let name = dataset_of(text);
        match named(state, name) {
            Some((graph, ix)) => self.sees_dataset(graph, ix),
            None => self.sees_name(name),
        }
    }

    /// Whether all of some partitions are, and there are any.
    #[must_use]
    pub fn sees_texts<'t>(&self, state: &State, texts: impl IntoIterator<Item = &'t String>) -> bool {
        let mut texts = texts.into_iter().peekable();
        self.sees_all() || texts.peek().is_some() && texts.all(|text| self.sees_text(state, text))
    }

    /// Whether a run is seen that makes these partitions.
    #[must_use]
    pub fn sees_making(&self, state: &State, text: &str) -> bool {
        if self.sees_all() {
            return true;
        }
        let name = dataset_of(text);
        match named(state, name) {
            Some((graph, ix)) => {
                let job = graph.dataset(ix).producer;
                self.sees_dataset(graph, ix) && job.is_none_or(|job| self.sees_job(graph, job))
            }
            None => self.sees_name(name),
        }
    }

    /// Whether a run is seen that is not over.
    #[must_use]
    pub fn sees_run(&self, state: &State, run: &Run) -> bool {
        self.sees_making(state, &run.partition)
    }

    /// Whether a want is seen that is not over.
    #[must_use]
    pub fn sees_want(&self, state: &State, want: WantId) -> bool {
        let live = || state.wants().get(&want).is_some_and(|want| self.sees_texts(state, &want.targets));
        self.sees_all() || live()
    }

    /// A want without the work of jobs that are not seen.
    pub(super) fn part_of(&self, state: &State, want: &Want) -> Want {
        let mut want = want.clone();
        if !self.sees_all() {
            want.remaining.retain(|job, _| self.sees_job(state.graph(), *job));
        }
        want
    }

    /// Counts what is seen of what waits.
    pub fn counted(&self, state: &State, count: impl FnOnce(Counted<'_>) -> u64) -> u64 {
        let graph = state.followed().map(|registered| &registered.graph);
        count(Counted {
            runs: &|run| self.sees_run(state, run),
            jobs: &|job| graph.is_some_and(|graph| self.sees_job(graph, job)),
        })
    }

    /// Datasets that are seen, by name.
    pub fn names<'s>(&'s self, graph: &'s Graph) -> impl Iterator<Item = &'s str> {
        graph.datasets().map(|(_, dataset)| dataset.name.as_str()).filter(move |name| self.sees_name(name))
    }
}

/// The dataset that has or had a name.
pub(super) fn named<'s>(state: &'s State, name: &str) -> Option<(&'s Graph, DatasetIx)> {
    let graph = &state.followed()?.graph;
    Some((graph, graph.dataset_once_named(name)?))
}

/// Whether a pattern, in which `*` is any text, means a name. What stands between two of them is taken where it comes first, so
/// the work grows with the name alone.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = name.strip_prefix(head).and_then(|left| left.strip_suffix(tail)) else {
        return false;
    };
    for part in middle.split('*') {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_names_of_datasets() {
        let sees = |patterns: &[&str], name: &str| {
            Audience::of(&patterns.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).sees_name(name)
        };
        assert!(sees(&["sales"], "sales") && sees(&[], "a"));
        assert!(sees(&["x", "eu_*"], "eu_sales") && sees(&["*"], "a"));
        assert!(sees(&["a*c*"], "abcd") && sees(&["sales/*"], "sales/orders"));
        assert!(!sees(&["sales"], "sales2") && !sees(&["eu_*"], "us_eu_sales"));
        assert!(!sees(&["a*c"], "abd") && !sees(&["ab*ba"], "aba") && !sees(&["*b*b*"], "abc"));
    }
}
