//! One dataset: what it is, what it is made from, and where its partitions stand.

use super::context::Context;
use super::partitions::{by_state, shortened, standings_now, summary};
use super::AppError;
use crate::api::{
    DatasetDetail, Dimension, EdgeSaid, JobSaid, PartitionState, StandingGroup, StandingQuery, StandingSaid,
};
use databuild_core::amounts::count;
use databuild_core::graph::{Dataset, DatasetIx, Input, Job, Resource};
use databuild_core::keys::KeySpace;
use databuild_core::mapping::DimRule;
use databuild_core::partition_set::{Order, PartitionSet};
use databuild_core::reference::ReferenceError;
use databuild_core::state::{State, Verdict};
use databuild_core::word::Word as _;

/// One dataset, by its name or an earlier one.
///
/// # Errors
/// No such dataset, or no graph.
pub async fn get(context: &impl Context, name: String) -> Result<DatasetDetail, AppError> {
    let found = context.slow(move |backend, _| {
        let standings = standings_now(backend)?;
        let state = standings.state();
        let ix = named(state, &name)?;
        let graph = state.graph();
        let dataset = graph.dataset(ix);
        let job = dataset.producer.map(|job| (job, graph.job(job)));
        let inputs = job.map_or(&[][..], |(_, job)| &job.inputs);
        let readers = dataset.consumers.iter().map(|(job, input)| {
            let (reader, input) = (graph.job(*job), &graph.job(*job).inputs[*input]);
            edge(state, graph.home(*job), reader, input, graph.home(*job))
        });
        Ok(DatasetDetail {
            label: dataset.label.clone(),
            dimensions: (0..dataset.dims.len()).map(|dim| dimension(state, ix, dim)).collect(),
            path: dataset.path_text.clone(),
            inputs: inputs
                .iter()
                .filter_map(|input| Some(edge(state, dataset, job?.1, input, graph.dataset(input.dataset))))
                .collect(),
            readers: readers.collect(),
            job: job.map(|(ix, job)| said(state, &state.registered().digests_of(ix).code, job)),
            seq: state.seq().0,
            summary: summary((dataset, standings.counts_of(ix))),
        })
    });
    found.await
}

/// A dataset of the graph of now.
pub(super) fn named(state: &State, name: &str) -> Result<DatasetIx, AppError> {
    let graph = state.graph();
    let found = graph.dataset_named(name).or_else(|| graph.dataset_once_named(name));
    found.ok_or_else(|| {
        let names = graph.datasets().map(|(_, dataset)| dataset.name.as_str());
        ReferenceError::unknown_dataset(name, names).into()
    })
}

fn dimension(state: &State, ix: DatasetIx, dim: usize) -> Dimension {
    let dataset = state.graph().dataset(ix);
    let space = &dataset.spaces[dim];
    let keys = &state.extents().of(ix)[dim];
    let text = |key| space.format_key(key, state.symbols());
    // Listed keys have an order of their own; there are few.
    let order = Order::of(&dataset.spaces, state.symbols());
    let (first, last) = match space {
        KeySpace::Static(..) => {
            let keys = order.keys(dim, keys);
            (keys.first().copied(), keys.last().copied())
        }
        KeySpace::Time(_) | KeySpace::Dynamic(_) => (keys.first(), keys.last()),
    };
    Dimension {
        name: dataset.dims[dim].clone(),
        kind: match space {
            KeySpace::Time(_) => "time",
            KeySpace::Static(..) => "static",
            KeySpace::Dynamic(_) => "dynamic",
        }
        .to_owned(),
        granularity: space.time().map(|time| time.granularity().name().to_owned()),
        timezone: space.time().map(|time| time.zone().name().to_owned()),
        space: space.dynamic().map(str::to_owned),
        keys: keys.len(),
        first: first.map(text),
        last: last.map(text),
    }
}

fn said(state: &State, code: &str, job: &Job) -> JobSaid {
    let graph = state.graph();
    let takes = job.takes.iter().filter_map(|(resource, amount)| {
        let name = match resource {
            Resource::Places => "places".to_owned(),
            Resource::Memory => "memory, in bytes".to_owned(),
            Resource::Pool(label) => {
                format!("pool {}", graph.pool_labeled(label).map_or(label, |pool| &pool.name))
            }
            // How many may run at once is no amount of anything.
            Resource::Job(_) | Resource::Dataset(_) => return None,
        };
        Some((name, *amount))
    });
    JobSaid {
        label: job.label.clone(),
        code: code.to_owned(),
        outputs: job.outputs.iter().map(|output| graph.dataset(*output).name.clone()).collect(),
        batch: job.batch.map_or(1, |batch| u64::from(batch.max)),
        takes: takes.collect(),
    }
}

/// How a job that makes `made` reads `input`; `other` is the dataset at the other end.
fn edge(state: &State, made: &Dataset, job: &Job, input: &Input, other: &Dataset) -> EdgeSaid {
    let read = state.graph().dataset(input.dataset);
    let rules =
        input.mapping.rules.iter().enumerate().map(|(dim, rule)| rule_said(state, made, read, dim, rule));
    EdgeSaid {
        dataset: other.name.clone(),
        job: job.label.clone(),
        mapping: match rules.collect::<Vec<_>>() {
            rules if rules.is_empty() => "all of it".to_owned(),
            rules => rules.join(", "),
        },
    }
}

/// What a rule says, for people: `same city`, `7 days`.
fn rule_said(state: &State, made: &Dataset, read: &Dataset, dim: usize, rule: &DimRule) -> String {
    let name = &read.dims[dim];
    let period = |space: &KeySpace| space.time().map_or("key", |time| time.granularity().name());
    let own = period(&read.spaces[dim]);
    match rule {
        DimRule::Same { of } if made.dims[*of] == *name => format!("same {name}"),
        DimRule::Same { of } => format!("{name} that is the {}", made.dims[*of]),
        DimRule::Window { count: periods, .. } => format!("the last {}", count(u64::from(*periods), own)),
        DimRule::Offset { by, .. } if *by < 0 => {
            format!("{} before", count(u64::from(by.unsigned_abs()), own))
        }
        DimRule::Offset { by, .. } => format!("{} after", count(u64::from(by.unsigned_abs()), own)),
        DimRule::Rollup { of } => format!("each {own} of the {}", period(&made.spaces[*of])),
        DimRule::Fanout { of } => format!("the {own} of the {}", period(&made.spaces[*of])),
        DimRule::All => format!("every {name}"),
        DimRule::Latest { count: 1 } => format!("the latest {name}"),
        DimRule::Latest { count: keys } => format!("the latest {}", count(u64::from(*keys), own)),
        DimRule::Only(keys) => {
            format!("{name} {}", read.spaces[dim].format_set(keys, state.symbols()))
        }
    }
}

/// Where the partitions of a reference stand, by state and reason.
///
/// # Errors
/// The reference cannot be resolved, or no graph.
pub async fn standing(context: &impl Context, query: StandingQuery) -> Result<StandingSaid, AppError> {
    let found = context.slow(move |backend, _| {
        let standings = standings_now(backend)?;
        let state = standings.state();
        let (ix, set) = state.resolve_readable(&query.reference)?;
        let (at, behind) = standings.standing(ix, &set);
        let said = |(word, reason, part): (PartitionState, Option<Verdict>, PartitionSet)| StandingGroup {
            state: word.word().to_owned(),
            reason: reason.map(|verdict| verdict.code().to_owned()),
            count: part.len(),
            partitions: shortened(state.set_text(ix, &part)),
        };
        let groups = by_state(&at, &behind, &set).into_iter().map(said).collect();
        Ok(StandingSaid { total: set.len(), groups, seq: state.seq().0 })
    });
    found.await
}

#[cfg(test)]
mod tests {
    use super::super::partitions::state_of;
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::event::Refresh;

    #[test]
    fn each_partition_is_in_the_part_of_its_state() {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.want("text/name=a+b", Refresh::Stale);
        workspace.finish("text/name=a", "v1");
        workspace.fail("text/name=b", "boom");
        workspace.observe("raw/name=a", "r2");
        workspace.want("text/name=c", Refresh::Stale);
        let mut state = workspace.core.state.clone();
        let (ix, set) = state.resolve("text").unwrap();
        let at = state.standing(ix, &set);
        let none = PartitionSet::empty(set.shape());
        let parts = by_state(&at, &none, &set);
        assert_eq!(parts.iter().map(|(.., part)| part.len()).sum::<u64>(), 3);
        for (said, reason, part) in &parts {
            for key in part.iter() {
                let (own, why) = state_of(&at, &key);
                assert_eq!(own, *said);
                assert!(*said == PartitionState::Building || why == *reason);
            }
        }
        let said: Vec<_> = parts.iter().map(|(state, ..)| state.word()).collect();
        assert_eq!(said, ["failed", "stale", "building"]);
    }

    #[test]
    fn mappings_are_said_in_plain_words() {
        let workspace = Workspace::new(&chain("code"));
        let state = &workspace.core.state;
        let graph = state.graph();
        let said = |name: &str| {
            let job = graph.job(graph.dataset(graph.dataset_named(name).unwrap()).producer.unwrap());
            edge(
                state,
                graph.dataset(job.outputs[0]),
                job,
                &job.inputs[0],
                graph.dataset(job.inputs[0].dataset),
            )
        };
        assert_eq!((said("text").dataset, said("text").mapping), ("raw".to_owned(), "same name".to_owned()));
        assert_eq!(said("book").mapping, "every name");
    }
}
