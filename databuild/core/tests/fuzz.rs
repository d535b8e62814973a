//! Random changes of what the core reads: references, keys, graph files, reports. Each target runs for as long as
//! `databuild_fuzz` says.

mod support;

use databuild_core::data_check::{findings, CheckExit};
use databuild_core::event::CheckOutcome;
use databuild_core::graph::file::{GranularityName, GraphFile};
use databuild_core::graph::{Graph, Registered};
use databuild_core::ids::GraphId;
use databuild_core::keys::{key_fault, KeySpace};
use databuild_core::named_keys::NamedKeys;
use databuild_core::observation;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::reference::{resolve, ReferenceText};
use databuild_core::report::{self, Expected};
use databuild_core::symbols::Symbols;
use databuild_core::template::Template;
use databuild_core::time::{Granularity, TimeSpace};
use databuild_fuzz::{fuzz, Counting};
use jiff::Timestamp;
use std::collections::BTreeMap;
use support::graphs::{dynamic, listed, reads, time, GraphSpec};
use support::repository_file;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn now() -> Timestamp {
    "2024-06-30T12:00:00Z".parse().unwrap()
}

/// Errors that users meet say something, under a name that programs can compare.
fn is_told(code: &str, message: &str) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(!code.is_empty() && code.chars().all(plain), "the code is {code:?}");
    assert!(!message.trim().is_empty(), "{code} has no message");
}

#[test]
fn references_read_back_as_they_were_written() {
    let city = listed("city", &["oslo", "bergen", "ø", "x.y", "2010"]);
    let time = |name: &str, granularity, start: &str, end: &str, zone: &str| {
        [city.clone(), time(name, granularity, start, end, zone)]
    };
    let mut symbols = Symbols::new();
    let graph = GraphSpec::new()
        .external("sales/orders", &[city.clone(), dynamic("customer", "customers")])
        .external("hours", &time("hour", GranularityName::Hour, "2010-01-01T00", "", "Europe/Oslo"))
        .external("days", &time("date", GranularityName::Day, "2010-01-01", "2030-12-31", "Asia/Kolkata"))
        .external("weeks", &time("week", GranularityName::Week, "2010-W01", "", "UTC"))
        .external("months", &time("month", GranularityName::Month, "1990-01", "2040-12", "America/St_Johns"))
        .external("years", &time("year", GranularityName::Year, "0001", "", "UTC"));
    let graph = Graph::parse(&graph.json(), &mut symbols).unwrap();
    let keys = ["acme", "ä", "-", "a b"].into_iter().filter(|key| key_fault(key).is_none());
    let keys: Vec<_> = keys.map(|key| symbols.intern(key)).collect();
    symbols.add_keys("customers", keys);
    let words = [
        "/",
        "//",
        ":",
        "@@",
        "=",
        "+",
        "..",
        "sales/orders",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
        "city",
        "customer",
        "hour",
        "date",
        "week",
        "month",
        "year",
        "oslo",
        "x.y",
        "2010-03-28T02",
        "2010-10-31T02+02:00",
        "2024-02-29",
        "2020-W53",
        "2024-06",
        "9999",
        "0000",
        "T24",
        "Z",
        "-12-31",
    ];
    let seeds: [&[u8]; 6] = [
        b"sales/orders/city=oslo+bergen/customer=acme",
        b"hours/city=oslo/hour=2010-01-01T00..2010-10-31T02+02:00",
        b"//:hours/hour=2010-10-31T02+01:00+2010-10-31T03",
        b"@//:days/date=2010-01-01..2010-01-31+2011-02-28/city=2010",
        b"weeks/week=2010-W01..2010-W52+2020-W53",
        b"months/month=2010-01..2011-12",
    ];
    fuzz(&seeds, &words, |input| {
        let text = String::from_utf8_lossy(input);
        let reference = match ReferenceText::parse(&text) {
            Ok(reference) => reference,
            Err(error) => return is_told(error.code(), &error.to_string()),
        };
        assert_eq!(ReferenceText::parse(&reference.to_string()).as_ref(), Ok(&reference), "its parts");
        let Some(ix) = graph.dataset_named(&reference.dataset) else { return };
        let dataset = graph.dataset(ix);
        let dims: Vec<(&str, &KeySpace)> =
            dataset.dims.iter().map(String::as_str).zip(&dataset.spaces).collect();
        match resolve(&reference, &dims, &symbols, now()) {
            Ok(set) => {
                let texts = dataset.set_text(&set, &symbols);
                let mut again = PartitionSet::empty(dataset.shape);
                for text in &texts {
                    let (other, part) =
                        graph.locate_set(text, &symbols).unwrap_or_else(|| panic!("{text:?} is not read"));
                    assert_eq!(other, ix);
                    again.union_with(&part);
                }
                assert_eq!(again, set, "{texts:?}");
            }
            Err(error) => is_told(error.code(), &error.to_string()),
        }
    });
}

#[test]
fn keys_and_key_spaces_read_back_as_they_were_written() {
    use Granularity::{Day, Hour, Month, Week, Year};
    let words = [
        "|",
        "+",
        "..",
        "-",
        "T",
        "W",
        "Z",
        "+05:30",
        "-12:00",
        "+00:00",
        "UTC",
        "Europe/Oslo",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/St_Johns",
        "2011-12-30",
        "2010-W53",
        "0000",
        "0001",
        "9999",
        "02-29",
        "T23",
        "T02",
        "day",
        "hour",
        "week",
        "month",
        "year",
    ];
    let seeds: [&[u8]; 8] = [
        b"day|Europe/Oslo|2010-01-01|2010-02-29|2010-01-05..2010-01-31+2010-02-01",
        b"hour|Europe/Oslo|2010-01-01T00||2010-10-31T02+02:00..2010-10-31T02+01:00",
        b"hour|Asia/Kolkata|2010-01-01T00|2011-01-01T00|2010-06-01T05",
        b"hour|Australia/Lord_Howe|2010-01-01T00||2010-04-04T01..2010-04-04T03",
        b"week|UTC|2010-W01|2020-W53|2015-W53+2016-W01",
        b"month|America/St_Johns|0001-01|9999-12|2010-01..2010-12",
        b"year|UTC|0001|9999|1900..2000",
        b"day|Pacific/Apia|2011-12-01||2011-12-29..2011-12-31",
    ];
    fuzz(&seeds, &words, |input| {
        let text = String::from_utf8_lossy(input);
        let mut parts = text.splitn(5, '|');
        let mut next = || parts.next().unwrap_or_default();
        let granularity = match next() {
            "hour" => Hour,
            "week" => Week,
            "month" => Month,
            "year" => Year,
            _ => Day,
        };
        let (zone, start, end, keys) = (next(), next(), next(), next());
        let space = match TimeSpace::parse(granularity, start, (!end.is_empty()).then_some(end), zone) {
            Ok(space) => space,
            Err(error) => return is_told(error.code(), &error.to_string()),
        };
        for key in [Some(space.start()), space.end()].into_iter().flatten() {
            let text = space.format_key(key);
            assert_eq!(space.parse_key(&text).as_ref(), Ok(&key), "{text}");
        }
        let extent = space.extent(now());
        let symbols = Symbols::new();
        let space = KeySpace::Time(space);
        let named = |text: &str| NamedKeys::parse(&space, text, &symbols)?.at(&extent);
        match named(keys) {
            Ok(set) => {
                let text = space.format_set(&set, &symbols);
                assert_eq!(named(&text).as_ref(), Ok(&set), "{text}");
            }
            Err(error) => is_told(error.code(), &error.to_string()),
        }
    });
}

#[test]
fn graph_files_are_refused_with_reasons_or_hold() {
    let golden = std::fs::read(repository_file("rules/tests/golden/graph.json")).unwrap();
    let city = listed("city", &["oslo", "rome"]);
    let day = time("date", GranularityName::Day, "2024-01-01", "2024-12-31", "UTC");
    let month = time("month", GranularityName::Month, "2024-01", "2024-12", "UTC");
    let small = GraphSpec::new()
        .external("raw", &[city.clone(), day.clone()])
        .job("daily", &["daily", "log"], &[city.clone(), day], vec![reads("raw").window("date", 7).clip()])
        .batch("date", 10)
        .takes("db", 1)
        .pool("db", 2)
        .job("monthly", &["monthly"], &[city, month], vec![reads("daily").rollup("date", "month")])
        .check("whole", "monthly")
        .moved("old", "monthly")
        .moved_dim("daily", "day", "date")
        .files()
        .json();
    let dynamic = GraphSpec::new()
        .job("find", &["found"], &[], vec![])
        .with(|job| job.adds_keys.push("customers".to_owned()))
        .job("account", &["account"], &[dynamic("customer", "customers")], vec![reads("found")])
        .job("all", &["all"], &[], vec![reads("account").all("customer"), reads("found")])
        .files()
        .json();
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "\"",
        "\\u0000",
        "{}",
        "[]",
        "\"kind\":\"same\"",
        "\"of\":",
        "\"same\"",
        "\"window\"",
        "\"offset\"",
        "\"rollup\"",
        "\"fanout\"",
        "\"all\"",
        "\"latest\"",
        "\"only\"",
        "\"count\":",
        "\"by\":",
        "\"keys\":",
        "\"raw\"",
        "\"daily\"",
        "\"monthly\"",
        "\"city\"",
        "\"date\"",
        "\"month\"",
        "\"hour\"",
        "\"week\"",
        "\"year\"",
        "\"static\"",
        "\"time\"",
        "\"dynamic\"",
        "\"clip\"",
        "\"fail\"",
        "\"skip\"",
        "\"UTC\"",
        "\"Europe/Oslo\"",
        "{date}",
        "{city}",
        "{path}",
        "{input:raw}",
        "{{",
        "..",
        "/",
        "2024-02-29",
        "9999-12-31",
        "\"path\":",
    ];
    fuzz(&[&golden, small.as_bytes(), dynamic.as_bytes()], &words, |input| {
        let content = String::from_utf8_lossy(input);
        let mut symbols = Symbols::new();
        let graph = match Graph::parse_new(&content, &mut symbols) {
            Ok(graph) => graph,
            Err(problems) => {
                assert!(!problems.is_empty(), "it is refused for no reason");
                return problems
                    .iter()
                    .for_each(|problem| is_told(&problem.code.to_string(), &problem.message));
            }
        };
        let file: GraphFile = serde_json::from_str(&content).unwrap();
        let again: GraphFile = serde_json::from_str(&serde_json::to_string(&file).unwrap()).unwrap();
        assert_eq!(again, file, "what is written of it");
        for (_, dataset) in graph.datasets() {
            let keys: Vec<_> = dataset.spaces.iter().map(|space| space.bounds(&symbols).first()).collect();
            let Some(keys) = keys.into_iter().collect::<Option<Vec<_>>>() else { continue };
            let key = PartitionKey::new(keys);
            let text = dataset.partition_text(&key, &symbols);
            assert_eq!(graph.locate(&text, &symbols).map(|(_, key)| key), Some(key), "{text}");
        }
        let _ = Registered::new(GraphId::of(&content), graph, BTreeMap::new());
    });
}

#[test]
fn reports_are_refused_with_reasons_or_believed_in_full() {
    let partitions = ["a/t/date=2024-01-01", "a/t/date=2024-01-02", "b/date=2024-01-01"];
    let expected = partitions.map(|partition| Expected {
        dataset: partition.split("/date").next().unwrap_or_default().to_owned(),
        partition: partition.to_owned(),
    });
    let asked = partitions.map(str::to_owned);
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "\r\n",
        "null",
        "true",
        "false",
        "\"",
        "\\ud800",
        "\\u0000",
        "\"type\":",
        "\"done\"",
        "\"empty\"",
        "\"failed\"",
        "\"missing_input\"",
        "\"key\"",
        "\"progress\"",
        "\"check\"",
        "\"partition\":",
        "\"dataset\":",
        "\"a/t/date=2024-01-01\"",
        "\"a/t/date=2024-01-02\"",
        "\"b\"",
        "\"rows\":",
        "\"bytes\":",
        "\"version\":",
        "\"metadata\":",
        "\"message\":",
        "\"permanent\":",
        "\"ok\":",
        "\"space\":",
        "\"absent\":",
        "\"customers\"",
    ];
    let seeds: [&[u8]; 4] = [
        br#"{"type": "done", "partition": "a/t/date=2024-01-01", "rows": 24, "metadata": {"a": [1, 2.5, null]}}
{"type": "empty", "partition": "a/t/date=2024-01-02"}
{"type": "failed", "dataset": "b", "message": "no data", "permanent": true}
{"type": "key", "space": "customers", "key": "acme"}
"#,
        br#"{"type": "missing_input", "partition": "raw/city=oslo"}
{"type": "progress", "fraction": 0.5, "message": "half"}
{"type": "done", "partition": "b/date=2024-01-01", "version": "v1", "bytes": 7}
"#,
        br#"{"type": "check", "partition": "a/t/date=2024-01-01", "ok": false, "message": "row 3", "metadata": {"rows": 55}}
{"type": "check", "partition": "a/t/date=2024-01-02", "ok": true}
{"type": "check", "partition": "b/date=2024-01-01", "ok": true, "message": "fine"}
"#,
        br#"{"partition": "a/t/date=2024-01-01", "version": "2010-06-02T07:00:00Z"}
{"partition": "a/t/date=2024-01-02", "absent": true}
"#,
    ];
    fuzz(&seeds, &words, |input| {
        for spaces in [&[][..], &["customers".to_owned()], &["customers".to_owned(), "shops".to_owned()]] {
            match report::parse(input, &expected, spaces) {
                Ok(report) => {
                    assert_eq!(report.outputs.len(), expected.len());
                    assert!(report.keys.keys().all(|space| spaces.contains(space)));
                    assert!(report.keys.values().flatten().all(|key| key_fault(key).is_none()));
                }
                Err(error) => is_told("report", &error.to_string()),
            }
        }
        let exits =
            [CheckExit::Code(0), CheckExit::Code(1), CheckExit::Code(2), CheckExit::Cut("killed".to_owned())];
        for exit in exits {
            let found = findings(&partitions, &exit, input, "last line");
            assert_eq!(found.iter().map(|result| result.partition.as_str()).collect::<Vec<_>>(), partitions);
            for result in found {
                assert!(result.message.len() < 1_010, "a message is cut");
                assert!(result.outcome == CheckOutcome::Passed || !result.message.is_empty(), "it says why");
                serde_json::from_str::<serde_json::Value>(&result.metadata).expect("metadata is JSON");
            }
        }
        match observation::parse(input, &asked) {
            Ok(answers) => assert_eq!(answers.len(), asked.len()),
            Err(error) => is_told("answer", &error.to_string()),
        }
    });
}

#[test]
fn templates_are_refused_with_reasons_or_render() {
    let words = ["{", "}", "{{", "}}", "{date}", "{input:raw}", "{path:", ":", "/", ".."];
    let seeds: [&[u8]; 2] = [b"out/{city}/{date}.csv", b"--in={input:raw} {{literal}} {path}"];
    fuzz(&seeds, &words, |input| {
        let text = String::from_utf8_lossy(input);
        match Template::parse(&text) {
            Ok(template) => {
                let rendered = template.render(|_, _| Some("x".into()));
                assert!(rendered.is_ok(), "all holes are filled");
            }
            Err(error) => is_told("template", &error.to_string()),
        }
    });
}
