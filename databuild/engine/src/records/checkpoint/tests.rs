//! Dumps survive the stored form; the stored form is as small as it should be.

use super::*;
use databuild_core::event::{
    ArmId, DatasetGround, Grounds, JobGround, OutputRecord, PlanCreated, PlanRow, PlanRowKind, PriorityClass,
    Refresh, TrialArm, TrialCreated, TrialEnded, TrialKind, TrialOutcome, TrialResult, TrialSample,
    TrialVerdict, WantCounts,
};
use databuild_core::graph::JobDigests;
use databuild_core::ids::{GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::partition_set::Axis;
use databuild_core::range_set::RangeSet;
use databuild_core::state::checkpoint::{
    DatasetDump, EntryColumns, GraphDump, RunDump, SetColumns, TrialDump, WantDump, WorkDump,
};
use databuild_core::state::{Alias, Answered, Arm, Made, Phase, SavedPlan};
use databuild_core::time::{Granularity, Zone};
use jiff::Timestamp;

fn set(from: u32) -> SetColumns {
    SetColumns { tuples: vec![from, u32::MAX], counts: vec![1, 2], runs: vec![from, 2, 300, 0, 1, u32::MAX] }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A trial that is over and one with an arm of each kind.
fn trials() -> Vec<TrialDump> {
    let spec = |id| TrialCreated {
        trial: TrialId(id),
        kind: TrialKind::Compare,
        run: None,
        job: "//:job".to_owned(),
        graphs: Vec::new(),
        samples: vec![TrialSample {
            partition: "a/b=c".to_owned(),
            arms: vec![TrialArm {
                graph: GraphId("1f".to_owned()),
                params: [("full".to_owned(), "true".to_owned())].into(),
                digests: JobDigests { code: "c".to_owned(), args: "a".to_owned(), template: "t".to_owned() },
            }],
            discovered: vec!["d".to_owned()],
            expected: Vec::new(),
            changed_inputs: vec!["e".to_owned()],
        }],
        as_of: time("2024-03-14T01:02:03.5Z"),
        keep: Some("/kept".to_owned()),
        request: None,
    };
    let output = OutputRecord {
        partition: "a/b=c".to_owned(),
        version: "sha256:5".to_owned(),
        empty: false,
        mark: 0,
        bytes: 9,
        metadata: "{}".to_owned(),
    };
    let arms = vec![
        ((0, 0), Arm::Made { run: RunId(1), outputs: vec![output], inputs: vec![0, u64::MAX] }),
        ((0, 1), Arm::Live { run: RunId(2) }),
        ((1, 0), Arm::Failed { run: RunId(3), message: String::new() }),
    ];
    let created_at = time("2024-03-14T01:02:03.25Z");
    let result = TrialResult {
        partition: "a/b=c".to_owned(),
        verdict: TrialVerdict::Differs,
        versions: ["1".to_owned(), "2".to_owned()],
        bytes: [3, 4],
        runs: vec![RunId(5)],
        message: "m".to_owned(),
    };
    let ended = TrialEnded { trial: TrialId(8), outcome: TrialOutcome::Differs, results: vec![result] };
    vec![
        TrialDump {
            spec: spec(8),
            created_at,
            by: String::new(),
            graphs: vec![],
            arms: vec![],
            ended: Some((created_at, ended)),
        },
        TrialDump { spec: spec(9), created_at, by: "ada".into(), graphs: vec![0, 1], arms, ended: None },
    ]
}

/// A dump in which no field has its default value.
fn full() -> StateDump {
    let calendars =
        [Granularity::Hour, Granularity::Day, Granularity::Week, Granularity::Month, Granularity::Year];
    let axes = calendars.map(|granularity| Axis {
        name: format!("by {granularity:?}"),
        calendar: Some((granularity, Zone::named("Europe/Berlin").unwrap())),
    });
    let listed = Axis { name: "city".to_owned(), calendar: None };
    let dataset = |name: &str| DatasetDump {
        name: name.to_owned(),
        axes: axes.iter().cloned().chain([listed.clone()]).collect(),
        entries: EntryColumns {
            keys: set(1),
            versions: vec![1, u64::MAX],
            inputs: vec![2, u64::MAX - 1],
            marks: vec![3, 4],
            seqs: vec![5, -6],
        },
        present: set(2),
        empty: set(3),
        made_by: vec![(0, set(4)), (7, set(5))],
        suspect: set(6),
        inputs_changed: set(7),
        altered: set(8),
        vanished: set(9),
        failed: set(10),
        failed_by: vec![(0, set(30))],
        tainted: vec![(Seq(4), set(12))],
        follows: vec![(Seq(4), set(13)), (Seq(u64::MAX), set(14))],
        spoiled: set(15),
        adopted: set(18),
        accepted: vec![(Seq(5), 1, set(31))],
        discovered: vec![(vec![1, 2], vec!["a/b=c".to_owned()])],
        aliases: vec![Alias { dataset: "old".to_owned(), dims: vec!["b".to_owned()] }],
    };
    let want = |id, class, refresh| WantDump {
        id: WantId(id),
        targets: vec!["a/b=c".to_owned(), "d".to_owned()],
        class,
        refresh,
        as_of: time("2024-03-14T01:02:03.5Z"),
        created_at: time("2024-03-14T01:02:03.123456789Z"),
        expires_at: (id > 1).then(|| time("1969-03-14T12:00:00.000000001Z")),
        remaining: vec![(0, set(11)), (3, SetColumns::default())],
        counts: WantCounts { built: 5, unchanged: 4, failed: 3, skipped: 8, canceled: 2, impossible: 6 },
        causes: vec!["because".to_owned()],
        plan: (id > 1).then_some(PlanId(id)),
        paused: id > 1,
        parent: (id == 1).then_some(RunId(4)),
        invoked: (id == 1).then(|| (3, [("full".to_owned(), "true".to_owned())].into(), RunId(2))),
        asked: vec!["d".to_owned()],
        planned: Seq(7),
        rounds: 2,
    };
    let run = |id, phase| RunDump {
        id: RunId(id),
        graph: 1,
        job: "//:job".to_owned(),
        set: set(12),
        partition: "a/b=c".to_owned(),
        phase,
        attempt: 4,
        failures: 2,
        losses: 1,
        moves: 2,
        inputs: vec![u64::MAX - 2, 0],
        rest_due: (id > 1).then(|| time("2024-03-14T01:02:05Z")),
        given_up: (id > 1).then(|| "no such day".to_owned()),
        as_of: time("2024-03-14T01:02:03.000000004Z"),
        params: [("full".to_owned(), "true".to_owned())].into(),
        made_by: 6,
        cancel_requested: true,
        intended: vec![OutputRecord {
            partition: "a/b=c".to_owned(),
            version: "sha256:5".to_owned(),
            empty: true,
            mark: 8,
            bytes: 9,
            metadata: "{}".to_owned(),
        }],
        tainted: vec![(Seq(9), set(16))],
        spoiled: set(17),
        discovered: vec!["a/b=c".to_owned()],
        suspended: (id == 4).then_some(WantId(3)),
        trial: (id == 4).then_some(ArmId { trial: TrialId(2), sample: 1, arm: 0 }),
    };
    let graph = |id: &str| GraphDump {
        id: GraphId(id.to_owned()),
        inherited: [("HOME".to_owned(), "ab".to_owned())].into(),
    };
    let plan = PlanCreated {
        plan: PlanId(6),
        graph: GraphId("1f".to_owned()),
        targets: vec!["d".to_owned()],
        refresh: Refresh::All,
        as_of: time("2024-03-14T01:02:03Z"),
        expires_at: time("2024-03-15T01:02:03Z"),
        rows: vec![PlanRow {
            job: "//:job".to_owned(),
            kind: PlanRowKind::IfChanged,
            reason: "upstream_built".to_owned(),
            message: "if upstream changes".to_owned(),
            count: 4,
            partitions: vec!["a/b=c".to_owned()],
        }],
        current: 5,
        grounds: Grounds {
            jobs: vec![JobGround { job: "//:job".to_owned(), digest: 6 }],
            datasets: vec![DatasetGround { dataset: "a".to_owned(), partitions: 2, digests: vec![7, 8] }],
        },
        request: None,
    };
    StateDump {
        seq: Seq(77),
        as_of: time("2024-03-14T01:02:03.999999999Z"),
        last_want: WantId(8),
        last_run: RunId(9),
        attempt_ms: 0.1,
        pool_sizes: [("//:db".to_owned(), 3)].into(),
        tokens: serde_json::from_value(serde_json::json!({"dashboard": {
            "hash": "h", "scopes": [1, 4], "datasets": ["eu_*"], "created_at": "2024-03-14T01:02:03Z",
            "expires_at": null, "revoked_at": "2024-03-14T01:02:04Z",
        }}))
        .unwrap(),
        schedules: serde_json::from_value(serde_json::json!({"nightly": {
            "through": "2024-03-14T01:02:03Z", "when": "every 1d", "paused_at": "2024-03-14T01:02:04Z", "fired": 7,
            "last_fired": ["2024-03-14T00:00:00Z", 8],
            "last_skipped": ["2024-03-13T00:00:00Z", "2024-03-13T00:00:00Z", 1, 5, "no graph"],
        }}))
        .unwrap(),
        starts: [("//:job".to_owned(), vec![time("2024-03-14T01:02:03.5Z"), time("2024-03-14T01:02:04Z")])]
            .into(),
        symbols: vec!["oslo".to_owned(), "rome".to_owned()],
        key_spaces: vec![("cities".to_owned(), vec![(7, 7), (3, 5)], RangeSet::single(7))],
        graphs: vec![graph("1f"), graph("2f")],
        provenances: vec![JobDigests {
            code: "c".to_owned(),
            args: "a".to_owned(),
            template: "t".to_owned(),
        }],
        datasets: vec![dataset("a"), dataset("b")],
        retired: vec![dataset("c")],
        work: vec![WorkDump {
            job: "//:job".to_owned(),
            todo: set(12),
            ready: set(13),
            live: set(14),
            forced: set(15),
            by_hand: set(16),
        }],
        wants: vec![
            want(1, PriorityClass::Interactive, Refresh::Missing),
            want(2, PriorityClass::Backfill, Refresh::Stale),
            want(3, PriorityClass::Backfill, Refresh::All),
        ],
        runs: vec![
            run(1, Phase::Leased),
            run(2, Phase::Running),
            run(3, Phase::Publishing),
            run(4, Phase::RetryWait(time("2024-03-14T01:02:04.5Z"))),
        ],
        last_plan: PlanId(10),
        last_trial: TrialId(9),
        trials: trials(),
        plans: vec![SavedPlan { created_at: time("2024-03-14T01:02:03.25Z"), plan }],
        requests: vec![(
            "key".to_owned(),
            Answered { digest: "1f".into(), made: Made::Want(WantId(3)), at: time("2024-03-14T01:02:03.5Z") },
        )],
    }
}

fn bytes_of(dump: &StateDump) -> Vec<u8> {
    postcard::to_allocvec(dump).unwrap()
}

#[test]
fn a_dump_survives_its_stored_form() {
    for wanted in [full(), StateDump::default()] {
        assert_eq!(read(&bytes_of(&wanted)).unwrap(), wanted);
    }
}

/// If this fails, raise [`FORMAT`] and write the new digest here. A program that read the bytes of another format as its own
/// would start from a state that never was.
#[test]
fn one_format_has_one_form() {
    let digest = databuild_core::digest::sha256_hex(&bytes_of(&full()));
    assert_eq!(
        (FORMAT, digest.as_str()),
        (21, "430d83f97633ac46afc411582ccb0aa58e01fb9273c43cc3899a361237b4d321")
    );
}

#[test]
fn what_no_program_of_this_format_writes_is_refused() {
    let whole = bytes_of(&full());
    for length in 0..whole.len() {
        assert!(
            read(&whole[..length]).is_err(),
            "the first {length} of {} bytes are no checkpoint",
            whole.len()
        );
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(read(&longer).unwrap_err().to_string(), "it has 1 bytes too many");
    let zone = b"Europe/Berlin";
    let at = whole.windows(zone.len()).position(|bytes| bytes == zone).unwrap();
    let mut elsewhere = whole;
    elsewhere[at] = b'X';
    assert!(read(&elsewhere).is_err());
}

#[test]
fn an_entry_costs_its_three_words_and_a_byte() {
    const COUNT: usize = 10_000;
    let words = |salt: u64| (0..COUNT as u64).map(|n| databuild_core::digest::mix(n, salt)).collect();
    let keys = SetColumns { tuples: vec![], counts: vec![1], runs: vec![700_000, COUNT as u32 - 1] };
    // Most were made one after the other.
    let seqs = vec![4; COUNT];
    let entries =
        EntryColumns { keys: keys.clone(), versions: words(1), inputs: words(2), marks: words(3), seqs };
    let dataset = DatasetDump { entries, present: keys.clone(), made_by: vec![(0, keys)], ..empty_dataset() };
    let size = bytes_of(&StateDump { datasets: vec![dataset], ..StateDump::default() }).len();
    assert!(size < COUNT * 25 + 200, "{size}");
}

fn empty_dataset() -> DatasetDump {
    DatasetDump {
        name: "daily".to_owned(),
        axes: vec![],
        entries: EntryColumns::default(),
        present: SetColumns::default(),
        empty: SetColumns::default(),
        made_by: vec![],
        suspect: SetColumns::default(),
        inputs_changed: SetColumns::default(),
        altered: SetColumns::default(),
        vanished: SetColumns::default(),
        failed: SetColumns::default(),
        failed_by: vec![],
        tainted: vec![],
        follows: vec![],
        spoiled: SetColumns::default(),
        adopted: SetColumns::default(),
        accepted: vec![],
        discovered: Vec::new(),
        aliases: Vec::new(),
    }
}
