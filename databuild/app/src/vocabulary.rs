//! Words that people meet in answers and messages, each with what it is a word for and what it means.
//!
//! Invariant: every enum that [`words!`](databuild_core::words) declares stands here (`tools/tidy`, `check_words`), and so does
//! every reason. What `databuild explain WORD` says is what is written where the word is.

use super::waits::Waiting;
use super::why::Obstacle;
use crate::api::{
    BlockReason, Cancel, DatasetOrder, ListOrder, LogFormat, NodeKind, PartitionOrder, PartitionState,
    PlanOrder, Turn,
};
use crate::config::Deploying;
use crate::errors::Kind;
use crate::store::{AttemptState, RunState, WantState};
use databuild_core::event::{
    CheckOutcome, OutcomeKind, PlanRowKind, PriorityClass, Refresh, Scope, Skip, TrialKind, TrialOutcome,
    TrialVerdict, WantOutcome,
};
use databuild_core::graph::Missed;
use databuild_core::planner::Reason;
use databuild_core::state::Verdict;
use databuild_core::word::Word;
use serde::Serialize;

/// What reasons of partitions are called.
const REASON: &str = "reason of `plan` and `why`";

/// All reasons.
pub const REASONS: [Reason; 13] = [
    Reason::Outdated(Verdict::Missing),
    Reason::Outdated(Verdict::Vanished),
    Reason::Outdated(Verdict::Altered),
    Reason::Outdated(Verdict::Tainted),
    Reason::Outdated(Verdict::MadeFromTainted),
    Reason::Outdated(Verdict::CodeChanged),
    Reason::Outdated(Verdict::ArgsChanged),
    Reason::Outdated(Verdict::TemplateChanged),
    Reason::Outdated(Verdict::InputsChanged),
    Reason::Outdated(Verdict::Current),
    Reason::Forced,
    Reason::UpstreamBuilt,
    Reason::UnderWay,
];

/// What a word means where it is a word for one kind of thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Meaning {
    /// The word.
    pub word: &'static str,
    /// What it is a word for.
    pub kind: &'static str,
    /// What it means, as a sentence.
    pub meaning: String,
}

/// All words, by what they are for. One may have several meanings.
#[must_use]
pub fn all() -> Vec<Meaning> {
    let words = [
        of::<WantState>(),
        of::<Skip>(),
        of::<Missed>(),
        of::<RunState>(),
        of::<AttemptState>(),
        of::<PartitionState>(),
        of::<NodeKind>(),
        of::<Kind>(),
        of::<PriorityClass>(),
        of::<Refresh>(),
        of::<WantOutcome>(),
        of::<Deploying>(),
        of::<OutcomeKind>(),
        of::<PlanRowKind>(),
        of::<CheckOutcome>(),
        of::<TrialKind>(),
        of::<TrialOutcome>(),
        of::<TrialVerdict>(),
        of::<Scope>(),
        reasons(),
        of::<Obstacle>(),
        of::<Waiting>(),
        of::<BlockReason>(),
        of::<Cancel>(),
        of::<DatasetOrder>(),
        of::<Turn>(),
        of::<ListOrder>(),
        of::<PartitionOrder>(),
        of::<PlanOrder>(),
        of::<LogFormat>(),
    ];
    words.into_iter().flatten().collect()
}

fn of<W: Word>() -> Vec<Meaning> {
    let meaning =
        |value: &W| Meaning { word: value.word(), kind: W::KIND, meaning: value.meaning().to_owned() };
    W::ALL.iter().map(meaning).collect()
}

fn reasons() -> Vec<Meaning> {
    let meaning = |reason: &Reason| match reason {
        Reason::Outdated(verdict) => format!("The partition: {}.", verdict.phrase()),
        Reason::Forced => "It was asked for whatever its state.".to_owned(),
        Reason::UpstreamBuilt => {
            "Something that it is made from is built; if that comes out as it was, it is left alone."
                .to_owned()
        }
        Reason::UnderWay => "A run under way is making it.".to_owned(),
    };
    let said = |reason: &Reason| Meaning { word: reason.code(), kind: REASON, meaning: meaning(reason) };
    REASONS.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_word_has_one_meaning_for_each_kind_of_thing() {
        let all = all();
        let places: BTreeSet<_> = all.iter().map(|said| (said.word, said.kind)).collect();
        assert_eq!(places.len(), all.len());
        for Meaning { word, meaning, .. } in &all {
            assert!(meaning.len() > 10 && meaning.ends_with('.'), "{word}: {meaning}");
        }
        let kinds = |word: &str| -> Vec<_> {
            all.iter().filter(|said| said.word == word).map(|said| said.kind).collect()
        };
        assert_eq!(kinds("out_of_memory"), ["outcome of an attempt"]);
        assert_eq!(kinds("code_changed"), [REASON]);
        assert_eq!(kinds("backoff"), ["what work waits for"]);
        assert!(kinds("failed").len() > 3);
    }
}
