use super::super::testing::{example_records, time};
use super::*;
use databuild_core::event::*;
use databuild_core::ids::{GraphId, WantId};
use databuild_core::word::Numbered as _;
use databuild_proto::protobuf::{Message, UnknownValue};
use databuild_proto::v1 as stored;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Decodes with the content of the example's graph at hand.
fn decoded(bytes: &[u8]) -> Result<Record, ConvertError> {
    decode(bytes, |graph| {
        let content = "{\"jobs\": []}";
        assert_eq!(graph, &GraphId::of(content));
        Ok::<Arc<str>, ConvertError>(content.into())
    })
}

fn newer(bytes: &[u8]) -> String {
    match decoded(bytes) {
        Err(ConvertError::NewerFormat { what }) => what,
        other => panic!("not refused as newer: {other:?}"),
    }
}

fn record(event: stored::record::Event) -> Vec<u8> {
    let record = stored::Record { event: Some(event), ..Default::default() };
    record.write_to_bytes().unwrap()
}

#[test]
fn each_event_comes_back() {
    for record in example_records() {
        assert_eq!(decoded(&encode(&record)), Ok(record));
    }
}

#[test]
fn every_value_of_every_enum_comes_back() {
    let round = |event: Event| {
        let record = Record { at: time("2024-01-01T00:00:00Z"), origin: Origin::default(), event };
        assert_eq!(decoded(&encode(&record)), Ok(record));
    };
    for example in Event::examples() {
        match example {
            Event::WantCreated(want) => {
                for class in [PriorityClass::Interactive, PriorityClass::Backfill] {
                    round(Event::WantCreated(WantCreated { class, ..want.clone() }));
                }
                for refresh in [Refresh::Missing, Refresh::Stale, Refresh::All] {
                    round(Event::WantCreated(WantCreated { refresh, ..want.clone() }));
                }
                let (expires_at, due_at) = (None, None);
                round(Event::WantCreated(WantCreated { expires_at, due_at, ..want }));
            }
            Event::PlanCreated(plan) => {
                let kinds = [
                    PlanRowKind::Certain,
                    PlanRowKind::IfChanged,
                    PlanRowKind::UnderWay,
                    PlanRowKind::Blocked,
                    PlanRowKind::LeftOut,
                ];
                for kind in kinds {
                    let rows = plan.rows.iter().map(|row| PlanRow { kind, ..row.clone() }).collect();
                    round(Event::PlanCreated(PlanCreated { rows, ..plan.clone() }));
                }
            }
            Event::WantEnded(ended) => {
                for outcome in
                    [WantOutcome::Satisfied, WantOutcome::Failed, WantOutcome::Canceled, WantOutcome::Expired]
                {
                    round(Event::WantEnded(WantEnded { outcome, ..ended.clone() }));
                }
            }
            Event::AttemptEnded(ended) => {
                for outcome in [
                    AttemptOutcome::Success,
                    AttemptOutcome::Failure { permanent: false },
                    AttemptOutcome::Failure { permanent: true },
                    AttemptOutcome::Timeout,
                    AttemptOutcome::OutOfMemory,
                    AttemptOutcome::Canceled,
                    AttemptOutcome::Lost,
                    AttemptOutcome::InputsMoved,
                    AttemptOutcome::MissingInput { partitions: vec!["raw/city=oslo".to_owned()] },
                ] {
                    round(Event::AttemptEnded(AttemptEnded { outcome, ..ended.clone() }));
                }
                for exit_code in [None, Some(0)] {
                    round(Event::AttemptEnded(AttemptEnded { exit_code, ..ended.clone() }));
                }
                round(Event::AttemptEnded(AttemptEnded { retry_at: None, ..ended }));
            }
            Event::AttemptLeased(lease) => {
                round(Event::AttemptLeased(AttemptLeased { trial: None, ..lease.clone() }));
                for inputs in [vec![0], vec![7], vec![0, 0], vec![1, u64::MAX, 3]] {
                    round(Event::AttemptLeased(AttemptLeased { inputs, ..lease.clone() }));
                }
            }
            Event::TrialCreated(trial) => {
                for kind in [TrialKind::Compare, TrialKind::Verify] {
                    round(Event::TrialCreated(TrialCreated { kind, run: None, keep: None, ..trial.clone() }));
                }
            }
            Event::TrialEnded(ended) => {
                for outcome in [
                    TrialOutcome::Equal,
                    TrialOutcome::Differs,
                    TrialOutcome::Unknown,
                    TrialOutcome::Canceled,
                ] {
                    round(Event::TrialEnded(TrialEnded { outcome, ..ended.clone() }));
                }
                for verdict in [
                    TrialVerdict::Equal,
                    TrialVerdict::Differs,
                    TrialVerdict::Incomparable,
                    TrialVerdict::InputsChanged,
                    TrialVerdict::Failed,
                ] {
                    let results =
                        ended.results.iter().map(|r| TrialResult { verdict, ..r.clone() }).collect();
                    round(Event::TrialEnded(TrialEnded { results, ..ended.clone() }));
                }
            }
            Event::PoolResized(resized) => {
                round(Event::PoolResized(PoolResized { slots: None, ..resized.clone() }));
            }
            _ => {}
        }
    }
}

#[test]
fn a_kind_is_the_field_number_of_its_event() {
    for event in Event::examples() {
        let bytes = encode(&Record {
            at: jiff::Timestamp::UNIX_EPOCH,
            origin: Origin::default(),
            event: event.clone(),
        });
        // With both parts of the time zero, the event's tag comes first: field number and wire type 2.
        let tag = if bytes[0] & 0x80 == 0 {
            u32::from(bytes[0])
        } else {
            u32::from(bytes[0] & 0x7f) | u32::from(bytes[1]) << 7
        };
        assert_eq!((tag >> 3, tag & 7), (event.number(), 2), "{}", event.kind());
    }
}

#[test]
fn an_unknown_event_is_refused_as_newer() {
    let mut message = stored::Record { at_us: 1, ..Default::default() };
    message.special_fields.mut_unknown_fields().add_value(99, UnknownValue::LengthDelimited(vec![]));
    assert_eq!(newer(&message.write_to_bytes().unwrap()), "a record with field 99");
}

#[test]
fn what_refuses_an_unknown_field_says_where_it_is() {
    let mut run_ended = stored::RunEnded { run: 1, ..Default::default() };
    run_ended.special_fields.mut_unknown_fields().add_varint(77, 1);
    let bytes = record(stored::record::Event::RunEnded(run_ended));
    assert_eq!(newer(&bytes), "a run's end with field 77");

    let mut output = stored::OutputRecord::default();
    output.special_fields.mut_unknown_fields().add_varint(78, 1);
    let outputs = vec![output];
    let materialized = stored::Materialized { outputs, ..Default::default() };
    let bytes = record(stored::record::Event::Materialized(materialized));
    assert_eq!(newer(&bytes), "an output with field 78");
}

/// Each field of a message that has a length: its number, where its length begins, and its content. None if the bytes are
/// no message.
fn with_length(bytes: &[u8]) -> Option<Vec<(u64, usize, Range<usize>)>> {
    fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.get(*at)?;
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let tag = varint(bytes, &mut at)?;
        let start = at;
        at = match tag & 7 {
            0 => varint(bytes, &mut at).map(|_| at)?,
            1 => at + 8,
            2 => {
                let length = usize::try_from(varint(bytes, &mut at)?).ok()?;
                let end = at.checked_add(length).filter(|end| *end <= bytes.len())?;
                found.push((tag >> 3, start, at..end));
                end
            }
            5 => at + 4,
            _ => return None,
        };
    }
    (at == bytes.len()).then_some(found)
}

/// The message with a field that nobody knows, once in each message that it may hold at any depth, and the fields that lead
/// there. Texts and lists of numbers grow in the same way, since nothing but the schema tells them from messages.
fn each_with_an_unknown_field(bytes: &[u8]) -> Vec<(Vec<u64>, Vec<u8>)> {
    // Field 1000 with the value 1. No text may have the first byte.
    const UNKNOWN: [u8; 3] = [0xc0, 0x3e, 1];
    let mut grown = Vec::new();
    for (number, start, content) in with_length(bytes).unwrap_or_default() {
        let old = &bytes[content.clone()];
        let inside = each_with_an_unknown_field(old).into_iter();
        for (path, new) in inside.chain([(Vec::new(), [old, &UNKNOWN].concat())]) {
            let mut length = Vec::new();
            let mut left = new.len();
            while left > 0x7f {
                length.push(left as u8 | 0x80);
                left >>= 7;
            }
            length.push(left as u8);
            let bytes = [&bytes[..start], &length, &new, &bytes[content.end..]].concat();
            grown.push(([vec![number], path].concat(), bytes));
        }
    }
    grown
}

#[test]
fn an_unknown_field_is_refused_as_newer_at_any_depth() {
    let (mut refused, mut overlooked) = (BTreeSet::new(), BTreeSet::new());
    for record in example_records() {
        for (path, bytes) in each_with_an_unknown_field(&encode(&record)) {
            match decoded(&bytes) {
                Err(ConvertError::NewerFormat { .. }) => drop(refused.insert((record.event.kind(), path))),
                Ok(read) if read == record => drop(overlooked.insert((record.event.kind(), path))),
                // It was a text or a list of numbers.
                _ => {}
            }
        }
    }
    // Each record refuses one in its event, at the least, and these do so deep inside.
    for kind in Event::examples().iter().map(Event::kind) {
        assert!(refused.iter().any(|(refusing, path)| *refusing == kind && path.len() == 1), "{kind}");
    }
    for deep in [
        ("trial_created", vec![80, 6, 2, 3]),
        ("graph_registered", vec![4, 1]),
        ("want_created", vec![14, 5]),
    ] {
        assert!(refused.contains(&deep), "{deep:?}");
    }
    // An entry of a map has a key and a value, and the decoder drops all else.
    let maps = [
        ("attempt_leased", vec![18, 80]),
        ("graph_registered", vec![10, 2]),
        ("graph_registered", vec![10, 3]),
        ("trial_created", vec![80, 5, 2]),
        ("trial_created", vec![80, 6, 2, 2]),
        ("want_created", vec![14, 80]),
    ];
    assert_eq!(overlooked, BTreeSet::from(maps));
}

#[test]
fn an_unknown_enum_value_is_refused_as_newer() {
    let ended = stored::WantEnded { want: 1, outcome: 9, ..Default::default() };
    let bytes = record(stored::record::Event::WantEnded(ended));
    assert_eq!(newer(&bytes), "outcome of a want number 9");
}

#[test]
fn what_nobody_wrote_is_malformed() {
    let no_outcome = stored::WantEnded { want: 1, ..Default::default() };
    let no_time = stored::WantCreated {
        class: PriorityClass::Backfill.number(),
        refresh: Refresh::All.number(),
        ..Default::default()
    };
    let far = stored::Record { at_us: i64::MAX, ..Default::default() };
    let cases = [
        (vec![], "says nothing"),
        (vec![0xff, 0xff], "does not decode"),
        (record(stored::record::Event::WantEnded(no_outcome)), "has no outcome of a want"),
        (record(stored::record::Event::WantCreated(no_time)), "lacks a time"),
        (far.write_to_bytes().unwrap(), "has a time that does not exist"),
    ];
    for (bytes, want) in cases {
        match decoded(&bytes) {
            Err(ConvertError::Malformed { reason }) => {
                assert!(reason.starts_with(want), "{reason}")
            }
            other => panic!("not malformed, though it {want}: {other:?}"),
        }
    }
}

#[test]
fn zero_and_empty_fields_come_back() {
    let event = Event::WantEnded(WantEnded {
        want: WantId(0),
        outcome: WantOutcome::Satisfied,
        causes: vec![],
        counts: None,
    });
    let record = Record { at: jiff::Timestamp::MIN, origin: Origin::default(), event };
    assert_eq!(decoded(&encode(&record)), Ok(record));
}
