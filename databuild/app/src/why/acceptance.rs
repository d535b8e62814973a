//! Acceptances, as the reason why something is current though other code made it.

use crate::api::AcceptedSaid;
use crate::store::History;
use databuild_core::event::Event;
use databuild_core::graph::DatasetIx;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::{State, Verdict};

/// Those for which a partition counts as made by the job of today, oldest first; none if that made it. One that is in
/// an archive which is not there is left out.
pub(super) fn acceptances(
    state: &State,
    reader: &dyn History,
    ix: DatasetIx,
    key: &PartitionKey,
) -> Vec<AcceptedSaid> {
    let facts = state.dataset(ix);
    let Some(job) = state.graph().dataset(ix).producer else { return Vec::new() };
    let maker = facts.maker_of(key);
    if maker.is_none_or(|maker| state.digest_verdict(job, maker) == Verdict::Current) {
        return Vec::new();
    }
    let counts = facts
        .accepted
        .iter()
        .filter(|((_, to), set)| set.contains(key) && state.digest_verdict(job, *to) == Verdict::Current);
    let record = |((seq, _), _): (&(_, _), _)| reader.event(*seq).ok()?.value;
    let said = counts.filter_map(record).filter_map(|record| match record.event {
        Event::CodeAccepted(accepted) => Some(AcceptedSaid {
            by: record.origin.to_string(),
            at: record.at.to_string(),
            reason: accepted.reason,
            evidence: accepted.evidence,
        }),
        _ => None,
    });
    said.collect()
}
