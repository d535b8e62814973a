//! What [`super::EventLog`] promises, as tests that every implementation passes.
//!
//! `contract!(Subject)` in a test module two levels below this one makes a test of each function here.

use super::log::{Batch, Blob, Checkpoint, EventLog};
use super::testing::{example_records, graph, history, time};
use databuild_core::digest::sha256_hex;
use databuild_core::event::{Event, Origin, Record};
use databuild_core::ids::{GraphId, Seq};

/// An implementation under test, with the handles by which a test breaks things under it.
pub(super) trait Subject {
    type Log: EventLog;

    /// With an empty log.
    fn new() -> Self;
    fn log(&mut self) -> &mut Self::Log;
    /// Closes the log and opens it again.
    fn reopen(&mut self);
    /// The next write that needs space finds none.
    fn fill_disk(&mut self);
    fn free_disk(&mut self);
    /// Makes the archive of what the log has up to `until`; the log is not cut off by that.
    fn archive(&mut self, until: Seq);
    /// Removes all archives.
    fn lose_archives(&mut self);
    /// Changes stored bytes of the checkpoint of this position.
    fn damage_checkpoint(&mut self, seq: Seq);
}

macro_rules! contract {
    ($subject:ty) => {
        contract! { $subject:
            an_empty_log_has_nothing,
            records_come_back_in_order_and_exactly,
            a_read_begins_after_and_stops_at_the_limit,
            a_batch_without_records_adds_none,
            what_does_not_wait_for_the_disk_is_added_like_the_rest,
            contents_are_kept_by_digest,
            a_content_under_a_wrong_digest_is_refused_whole,
            a_full_disk_takes_nothing_and_the_log_works_on,
            histories_come_back,
            the_newest_checkpoint_is_found,
            a_damaged_checkpoint_is_passed_over,
            a_checkpoint_of_another_format_is_passed_over,
            two_checkpoints_are_kept,
            a_checkpoint_beyond_the_end_is_refused,
            archived_events_are_read_like_others,
            what_is_archived_stays_so_and_the_log_goes_on,
            one_archive_follows_another,
            a_log_without_its_archives_says_so,
            a_cut_that_the_present_would_depend_on_is_refused,
            a_full_disk_moves_no_beginning,
        }
    };
    ($subject:ty: $($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                super::super::contract::$name(&mut <$subject as Subject>::new());
            }
        )*
    };
}
pub(super) use contract;

fn append(log: &mut impl EventLog, records: &[Record]) -> Seq {
    log.append(&Batch { records: records.to_vec(), blobs: vec![] }).unwrap()
}

fn numbered(first: u64, records: &[Record]) -> Vec<(Seq, Record)> {
    (first..).map(Seq).zip(records.iter().cloned()).collect()
}

fn checkpoint(seq: u64, format: u32) -> Checkpoint {
    Checkpoint { seq: Seq(seq), format, bytes: format!("state after {seq}").into_bytes() }
}

pub(super) fn an_empty_log_has_nothing<S: Subject>(subject: &mut S) {
    for _ in 0..2 {
        let log = subject.log();
        assert_eq!(log.last(), Seq(0));
        assert_eq!(log.read(Seq(0), 10), Ok(vec![]));
        assert_eq!(log.blob(&sha256_hex(b"")), Ok(None));
        assert_eq!(log.latest_checkpoint(1), Ok(Default::default()));
        subject.reopen();
    }
}

pub(super) fn records_come_back_in_order_and_exactly<S: Subject>(subject: &mut S) {
    let records = example_records();
    let (first, second) = records.split_at(4);
    assert_eq!(append(subject.log(), first), Seq(4));
    assert_eq!(append(subject.log(), second), Seq(records.len() as u64));
    for _ in 0..2 {
        let log = subject.log();
        assert_eq!(log.last(), Seq(records.len() as u64));
        assert_eq!(log.read(Seq(0), 1000), Ok(numbered(1, &records)));
        subject.reopen();
    }
    assert_eq!(append(subject.log(), first), Seq(records.len() as u64 + 4));
}

pub(super) fn a_read_begins_after_and_stops_at_the_limit<S: Subject>(subject: &mut S) {
    let records = example_records();
    append(subject.log(), &records);
    let log = subject.log();
    assert_eq!(log.read(Seq(3), 2), Ok(numbered(4, &records[3..5])));
    assert_eq!(log.read(Seq(3), 0), Ok(vec![]));
    let last = log.last();
    assert_eq!(log.read(Seq(last.0 - 1), 5), Ok(numbered(last.0, &records[records.len() - 1..])));
    assert_eq!(log.read(last, 5), Ok(vec![]));
    assert_eq!(log.read(Seq(last.0 + 5), 5), Ok(vec![]));
    assert_eq!(log.read(Seq(u64::MAX), usize::MAX), Ok(vec![]));
}

pub(super) fn a_batch_without_records_adds_none<S: Subject>(subject: &mut S) {
    append(subject.log(), &example_records()[..2]);
    let blob = Blob::of(b"manifest".to_vec());
    let only_blob = Batch { records: vec![], blobs: vec![blob.clone()] };
    assert_eq!(subject.log().append(&Batch::default()), Ok(Seq(2)));
    assert_eq!(subject.log().append(&only_blob), Ok(Seq(2)));
    assert_eq!(subject.log().blob(&blob.digest), Ok(Some(blob.bytes)));
}

pub(super) fn what_does_not_wait_for_the_disk_is_added_like_the_rest<S: Subject>(subject: &mut S) {
    let records = example_records();
    let unsynced = |log: &mut S::Log, records: &[Record]| {
        log.append_unsynced(&Batch { records: records.to_vec(), blobs: vec![] }).unwrap()
    };
    assert_eq!(unsynced(subject.log(), &records[..2]), Seq(2));
    assert_eq!(append(subject.log(), &records[2..3]), Seq(3));
    assert_eq!(unsynced(subject.log(), &records[3..5]), Seq(5));
    for _ in 0..2 {
        assert_eq!(subject.log().read(Seq(0), 10), Ok(numbered(1, &records[..5])));
        subject.reopen();
    }
    subject.fill_disk();
    let batch = Batch { records: records[5..6].to_vec(), blobs: vec![Blob::of(vec![7; 1 << 20])] };
    assert_eq!(subject.log().append_unsynced(&batch).unwrap_err().code(), "disk_full");
    assert_eq!(subject.log().last(), Seq(5));
    subject.free_disk();
    assert_eq!(unsynced(subject.log(), &records[5..6]), Seq(6));
}

pub(super) fn contents_are_kept_by_digest<S: Subject>(subject: &mut S) {
    let content = "{\"jobs\": [\"a job\"]}";
    let at = time("2024-03-14T00:00:00Z");
    let record = Record { at, origin: Origin::default(), event: Event::GraphRegistered(graph(content)) };
    let blob = Blob::of(vec![0, 255, 7]);
    let batch = Batch { records: vec![record.clone(), record], blobs: vec![blob.clone()] };
    subject.log().append(&batch).unwrap();
    // Known contents do no harm.
    subject.log().append(&batch).unwrap();
    subject.reopen();
    let log = subject.log();
    let found = log.blob(&GraphId::of(content).0).unwrap();
    assert_eq!(found.as_deref(), Some(content.as_bytes()));
    assert_eq!(log.blob(&blob.digest), Ok(Some(blob.bytes)));
}

pub(super) fn a_content_under_a_wrong_digest_is_refused_whole<S: Subject>(subject: &mut S) {
    let mut wrong_graph = graph("one");
    wrong_graph.graph = GraphId::of("another");
    let at = time("2024-03-14T00:00:00Z");
    let wrong_graph = Record { at, origin: Origin::default(), event: Event::GraphRegistered(wrong_graph) };
    let wrong_blob = Blob { digest: sha256_hex(b"a"), bytes: b"b".to_vec() };
    for batch in [
        Batch { records: vec![example_records()[1].clone(), wrong_graph], blobs: vec![] },
        Batch { records: vec![example_records()[1].clone()], blobs: vec![wrong_blob] },
    ] {
        let error = subject.log().append(&batch).unwrap_err();
        assert_eq!(error.code(), "log_bad_request");
        assert_eq!(subject.log().last(), Seq(0));
    }
    subject.reopen();
    assert_eq!(subject.log().read(Seq(0), 10), Ok(vec![]));
    assert_eq!(subject.log().blob(&sha256_hex(b"a")), Ok(None));
}

pub(super) fn a_full_disk_takes_nothing_and_the_log_works_on<S: Subject>(subject: &mut S) {
    let records = example_records();
    append(subject.log(), &records);
    let last = subject.log().last();
    subject.fill_disk();
    let big = Blob::of(vec![7; 1 << 20]);
    let batch = Batch { records: records.clone(), blobs: vec![big.clone()] };
    let error = subject.log().append(&batch).unwrap_err();
    assert_eq!(error.code(), "disk_full");
    assert_eq!(subject.log().last(), last);
    assert_eq!(subject.log().read(last, 10), Ok(vec![]));
    assert_eq!(subject.log().blob(&big.digest), Ok(None));
    subject.free_disk();

    let next = Seq(last.0 + records.len() as u64);
    assert_eq!(subject.log().append(&batch), Ok(next));
    subject.reopen();
    assert_eq!(subject.log().read(last, 1000), Ok(numbered(last.0 + 1, &records)));
    assert_eq!(subject.log().blob(&big.digest), Ok(Some(big.bytes)));
}

pub(super) fn histories_come_back<S: Subject>(subject: &mut S) {
    let choices: Vec<u32> = (0..400_u32).map(|n| n.wrapping_mul(2_654_435_761) >> 7).collect();
    let records = history(&choices);
    assert!(records.len() > 300, "the history does something");
    for batch in records.chunks(7) {
        append(subject.log(), batch);
    }
    subject.reopen();
    assert_eq!(subject.log().read(Seq(0), usize::MAX), Ok(numbered(1, &records)));
}

pub(super) fn the_newest_checkpoint_is_found<S: Subject>(subject: &mut S) {
    append(subject.log(), &example_records());
    subject.log().save_checkpoint(&checkpoint(3, 1)).unwrap();
    subject.log().save_checkpoint(&checkpoint(7, 1)).unwrap();
    subject.reopen();
    let found = subject.log().latest_checkpoint(1).unwrap();
    assert_eq!(found.checkpoint, Some(checkpoint(7, 1)));
    assert_eq!(found.ignored, []);
    assert_eq!(subject.log().last(), Seq(example_records().len() as u64), "no event of its own");
}

pub(super) fn a_damaged_checkpoint_is_passed_over<S: Subject>(subject: &mut S) {
    append(subject.log(), &example_records());
    subject.log().save_checkpoint(&checkpoint(3, 1)).unwrap();
    subject.log().save_checkpoint(&checkpoint(7, 1)).unwrap();
    subject.damage_checkpoint(Seq(7));
    let found = subject.log().latest_checkpoint(1).unwrap();
    assert_eq!(found.checkpoint, Some(checkpoint(3, 1)));
    assert_eq!(found.ignored.len(), 1);
    assert_eq!(found.ignored[0].seq, Seq(7));
    assert_eq!(found.ignored[0].reason, "its bytes are not as they were saved");

    subject.damage_checkpoint(Seq(3));
    let found = subject.log().latest_checkpoint(1).unwrap();
    assert_eq!(found.checkpoint, None);
    assert_eq!(found.ignored.len(), 2);
}

pub(super) fn a_checkpoint_of_another_format_is_passed_over<S: Subject>(subject: &mut S) {
    append(subject.log(), &example_records());
    subject.log().save_checkpoint(&checkpoint(3, 1)).unwrap();
    subject.log().save_checkpoint(&checkpoint(7, 2)).unwrap();
    let found = subject.log().latest_checkpoint(1).unwrap();
    assert_eq!(found.checkpoint, Some(checkpoint(3, 1)));
    assert_eq!(found.ignored[0].reason, "its format is 2, not 1");
    assert_eq!(subject.log().latest_checkpoint(9).unwrap().checkpoint, None);
}

pub(super) fn two_checkpoints_are_kept<S: Subject>(subject: &mut S) {
    append(subject.log(), &example_records());
    for seq in [2, 3, 3, 4] {
        subject.log().save_checkpoint(&checkpoint(seq, 1)).unwrap();
    }
    // Asked for a format that none has, the log names all it keeps.
    let kept: Vec<_> = subject.log().latest_checkpoint(9).unwrap().ignored.iter().map(|c| c.seq).collect();
    assert_eq!(kept, [Seq(4), Seq(3)]);
}

pub(super) fn a_checkpoint_beyond_the_end_is_refused<S: Subject>(subject: &mut S) {
    append(subject.log(), &example_records()[..2]);
    let error = subject.log().save_checkpoint(&checkpoint(3, 1)).unwrap_err();
    assert_eq!(error.code(), "log_bad_request");
    assert_eq!(subject.log().latest_checkpoint(1), Ok(Default::default()));
}

/// A log of the examples with a checkpoint of its last event, cut off after `until`; and its records.
fn cut_off<S: Subject>(subject: &mut S, until: u64) -> Vec<(Seq, Record)> {
    let records = example_records();
    let last = append(subject.log(), &records);
    subject.log().save_checkpoint(&checkpoint(last.0, 1)).unwrap();
    subject.archive(Seq(until));
    assert_eq!(subject.log().archived(), Seq(0), "an archive alone does not count");
    subject.log().cut_off(Seq(until)).unwrap();
    numbered(1, &records)
}

fn purge(log: &mut impl EventLog) {
    let mut pieces = 0;
    while log.purge().unwrap() {
        pieces += 1;
        assert!(pieces < 10_000, "it comes to an end");
    }
}

pub(super) fn archived_events_are_read_like_others<S: Subject>(subject: &mut S) {
    let all = cut_off(subject, 5);
    for purged in [false, true] {
        if purged {
            purge(subject.log());
        }
        let log = subject.log();
        assert_eq!(log.read(Seq(0), 1000), Ok(all.clone()));
        assert_eq!(log.read(Seq(0), usize::MAX), Ok(all.clone()));
        assert_eq!(log.read(Seq(2), 2), Ok(all[2..4].to_vec()));
        assert_eq!(log.read(Seq(2), 3), Ok(all[2..5].to_vec()));
        assert_eq!(log.read(Seq(2), 4), Ok(all[2..6].to_vec()));
        assert_eq!(log.read(Seq(5), 2), Ok(all[5..7].to_vec()));
        assert_eq!(log.read(Seq(0), 0), Ok(vec![]));
    }
}

pub(super) fn what_is_archived_stays_so_and_the_log_goes_on<S: Subject>(subject: &mut S) {
    let all = cut_off(subject, 5);
    subject.log().cut_off(Seq(5)).unwrap();
    for _ in 0..2 {
        subject.reopen();
        let log = subject.log();
        assert_eq!((log.archived(), log.last()), (Seq(5), Seq(all.len() as u64)));
        purge(log);
    }
    let found = subject.log().latest_checkpoint(1).unwrap();
    assert_eq!(found.checkpoint.map(|found| found.seq), Some(Seq(all.len() as u64)));
    let further = example_records();
    append(subject.log(), &further);
    subject.reopen();
    let more = numbered(all.len() as u64 + 1, &further);
    assert_eq!(subject.log().read(Seq(0), usize::MAX), Ok([all, more].concat()));
}

pub(super) fn one_archive_follows_another<S: Subject>(subject: &mut S) {
    let all = cut_off(subject, 5);
    // The second begins before all of the first is freed.
    subject.archive(Seq(9));
    subject.log().cut_off(Seq(9)).unwrap();
    assert_eq!(subject.log().read(Seq(1), usize::MAX), Ok(all[1..].to_vec()));
    purge(subject.log());
    subject.reopen();
    assert_eq!(subject.log().archived(), Seq(9));
    assert_eq!(subject.log().read(Seq(1), usize::MAX), Ok(all[1..].to_vec()));
}

pub(super) fn a_log_without_its_archives_says_so<S: Subject>(subject: &mut S) {
    let all = cut_off(subject, 5);
    purge(subject.log());
    subject.lose_archives();
    subject.reopen();
    let error = subject.log().read(Seq(3), 10).unwrap_err();
    assert_eq!(error.code(), "archive_missing");
    assert!(error.to_string().starts_with("event 4 of event log"), "{error}");
    assert_eq!(subject.log().read(Seq(5), usize::MAX), Ok(all[5..].to_vec()));
    assert_eq!(append(subject.log(), &example_records()[..1]), Seq(all.len() as u64 + 1));
}

pub(super) fn a_cut_that_the_present_would_depend_on_is_refused<S: Subject>(subject: &mut S) {
    let last = append(subject.log(), &example_records());
    subject.log().save_checkpoint(&checkpoint(4, 1)).unwrap();
    let mut refused = |until: u64| {
        subject.archive(Seq(until));
        let error = subject.log().cut_off(Seq(until)).unwrap_err();
        assert_eq!(error.code(), "log_bad_request", "{error}");
    };
    refused(5);
    refused(last.0);
    subject.archive(Seq(4));
    subject.log().cut_off(Seq(4)).unwrap();
    let error = subject.log().cut_off(Seq(3)).unwrap_err();
    assert_eq!(error.code(), "log_bad_request", "{error}");
    assert_eq!(subject.log().archived(), Seq(4));
}

pub(super) fn a_full_disk_moves_no_beginning<S: Subject>(subject: &mut S) {
    let last = append(subject.log(), &example_records());
    subject.log().save_checkpoint(&checkpoint(last.0, 1)).unwrap();
    subject.archive(Seq(5));
    subject.fill_disk();
    // The number finds room in a page that is there, or it does not; both are whole.
    let moved = subject.log().cut_off(Seq(5)).is_ok();
    assert_eq!(subject.log().archived(), Seq(if moved { 5 } else { 0 }));
    subject.free_disk();
    subject.log().cut_off(Seq(5)).unwrap();
    subject.reopen();
    assert_eq!(subject.log().archived(), Seq(5));
}
