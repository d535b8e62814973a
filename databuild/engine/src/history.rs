//! What partitions hold by the log, and by a turn of the loop that is on its way to it.
//!
//! Attempts are prepared while their leases go to the disk. What the same turn says of their inputs goes with the leases,
//! since no reader of the log can see it yet.

use crate::store::{History as _, Reader, StoreError};
use databuild_core::event::{Event, Record};
use databuild_core::ids::Seq;
use databuild_core::state::Holding;
use std::collections::HashMap;

/// What a partition holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    /// Its data version.
    pub(super) version: String,
    /// The job that made it had nothing to produce.
    pub(super) empty: bool,
    /// Text of a JSON object: what the job said of it.
    pub(super) metadata: String,
}

/// What the events of one turn say of data.
#[derive(Debug, Default)]
pub(super) struct Told {
    partitions: HashMap<String, Vec<ToldOf>>,
}

#[derive(Debug)]
struct ToldOf {
    seq: Seq,
    held: Held,
    /// A run made it.
    made: bool,
}

impl Told {
    /// By the records of a turn, the last of which is or will be at `last`.
    pub(super) fn by(records: &[Record], last: Seq) -> Told {
        let mut told = Told::default();
        for (back, record) in records.iter().rev().enumerate() {
            let seq = Seq(last.0.saturating_sub(back as u64));
            let looked_at =
                |version: &str| Held { version: version.to_owned(), empty: false, metadata: "{}".to_owned() };
            let mut add = |partition: &str, held: Held, made: bool| {
                let of = told.partitions.entry(partition.to_owned()).or_default();
                of.push(ToldOf { seq, held, made });
            };
            match &record.event {
                Event::Materialized(event) => {
                    for output in event.outputs.iter().rev() {
                        let (version, metadata) = (output.version.clone(), output.metadata.clone());
                        add(&output.partition, Held { version, empty: output.empty, metadata }, true);
                    }
                }
                Event::Observed(event) => {
                    event
                        .partitions
                        .iter()
                        .for_each(|seen| add(&seen.partition, looked_at(&seen.version), false));
                }
                Event::Adopted(event) => {
                    event
                        .partitions
                        .iter()
                        .for_each(|one| add(&one.partition, looked_at(&one.version), false));
                }
                _ => {}
            }
        }
        told
    }

    fn of(&self, holding: &Holding) -> Option<&Held> {
        let mut all = holding.texts.iter().filter_map(|text| self.partitions.get(text)).flatten();
        all.find(|told| holding.is(told.seq, &told.held.version)).map(|told| &told.held)
    }
}

/// The log with what is about to be appended to it.
#[derive(Clone, Copy)]
pub(super) struct History<'h> {
    pub(super) reader: &'h Reader,
    pub(super) told: &'h Told,
}

impl History<'_> {
    /// What is recorded of the data that a partition holds by the state.
    pub(super) fn held(&self, holding: &Holding) -> Result<Option<Held>, StoreError> {
        if let Some(held) = self.told.of(holding) {
            return Ok(Some(held.clone()));
        }
        let row = self.reader.held(holding)?;
        Ok(row.map(|row| Held { version: row.version, empty: row.empty, metadata: row.metadata }))
    }

    /// A partition as which a run published this version.
    pub(super) fn published_as(&self, version: &str) -> Option<String> {
        let is_it = |told: &ToldOf| told.made && told.held.version == version;
        let told = || self.told.partitions.iter().find(|(_, told)| told.iter().any(is_it));
        let recorded = self.reader.published_as(version).ok().and_then(|answer| answer.value);
        recorded.or_else(|| Some(told()?.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, EventLog as _, SqliteLog};
    use databuild_core::digest::hash64;
    use databuild_core::event::Origin;
    use databuild_core::event::{Materialized, Observed, OutputRecord, SeenPartition};
    use databuild_core::ids::{AttemptId, RunId};
    use databuild_core::state::Entry;
    use jiff::Timestamp;

    fn record(event: Event) -> Record {
        Record { at: Timestamp::UNIX_EPOCH, origin: Origin::default(), event }
    }

    fn made(partition: &str, version: &str) -> Record {
        let output = OutputRecord {
            partition: partition.to_owned(),
            version: version.to_owned(),
            empty: true,
            mark: 0,
            bytes: 0,
            metadata: r#"{"rows":1}"#.to_owned(),
        };
        let attempt = AttemptId { run: RunId(1), number: 1 };
        record(Event::Materialized(Materialized { attempt, outputs: vec![output], goes_on: false }))
    }

    fn seen(partition: &str, version: &str) -> Record {
        let (partition, version) = (partition.to_owned(), version.to_owned());
        record(Event::Observed(Observed { partitions: vec![SeenPartition { partition, version, mark: 0 }] }))
    }

    #[test]
    fn what_the_state_knows_is_found_whether_the_log_has_it_or_is_about_to() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("log.db");
        let mut log = SqliteLog::open(&database).unwrap();
        let append = |log: &mut SqliteLog, records: &[Record]| {
            log.append(&Batch { records: records.to_vec(), ..Batch::default() }).unwrap();
        };
        append(&mut log, &[seen("a", "a1"), seen("b", "b1"), seen("old", "c1")]);
        let turn = [seen("a", "a2"), made("b", "b2"), made("new", "c2"), seen("a", "a3"), seen("b", "b2")];
        let told = Told::by(&turn, Seq(8));
        let reader = Reader::new(&database, 1);
        let history = History { reader: &reader, told: &told };
        let held = |texts: &[&str], seq: u64, version: &str| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            let entry = Entry { version: hash64(version), inputs: 0, mark: 0, seq: Seq(seq) };
            history.held(&Holding { texts, entry }).unwrap()
        };
        let version = |texts: &[&str], seq, version| held(texts, seq, version).map(|held| held.version);
        let some = |version: &str| Some(version.to_owned());
        let check = || {
            assert_eq!(version(&["a"], 7, "a3"), some("a3"));
            assert_eq!(version(&["a"], 4, "a2"), some("a2"), "whatever came after it");
            assert_eq!(version(&["a"], 1, "a1"), some("a1"));
            assert_eq!(version(&["new", "old"], 3, "c1"), some("c1"), "under an earlier name");
            assert_eq!(version(&["new", "old"], 6, "c2"), some("c2"));
            assert_eq!(version(&["a"], 4, "a3"), None, "the event says another version");
            assert_eq!(version(&["nobody"], 4, "a2"), None);
            // That somebody saw it again hides nothing.
            let made = Held { version: "b2".to_owned(), empty: true, metadata: r#"{"rows":1}"#.to_owned() };
            assert_eq!(held(&["b"], 5, "b2"), Some(made));
        };
        check();
        assert_eq!(history.published_as("b2"), some("b"));
        assert_eq!(history.published_as("a3"), None, "no run made it");
        // By the time somebody reads it, the turn may be in the log, and others after it.
        append(&mut log, &turn);
        append(&mut log, &[seen("a", "a4")]);
        check();
    }
}
