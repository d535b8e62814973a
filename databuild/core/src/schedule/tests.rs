//! Tables: what a cron says, what is none, and what happens where clocks are set.

use super::{Timing, TimingError};
use crate::time::Zone;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00Z") };
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn cron(text: &str) -> Timing {
    Timing::cron(text, Zone::utc()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The first ticks after an instant.
fn ticks(timing: &Timing, after: Timestamp, most: usize) -> Vec<Timestamp> {
    std::iter::successors(timing.next(after), |tick| timing.next(*tick)).take(most).collect()
}

/// Cron, an instant, and the ticks after it: what is left out is as it was in the tick before.
const SAID: &[(&str, &str, &str)] = &[
    ("0 6 * * *", "2026-01-30T06:00Z", "2026-01-31T06:00 2026-02-01T06:00"),
    ("  5\t6  * * * ", "2026-01-30", "2026-01-30T06:05 2026-01-31T06:05"),
    (
        "*/15 * * * *",
        "2026-01-30T00:10Z",
        "2026-01-30T00:15 2026-01-30T00:30 2026-01-30T00:45 2026-01-30T01:00",
    ),
    ("10-50/20 0 * * *", "2026-01-30", "2026-01-30T00:10 2026-01-30T00:30 2026-01-30T00:50 2026-01-31T00:10"),
    ("5/25 0 * * *", "2026-01-30", "2026-01-30T00:05 2026-01-30T00:30 2026-01-30T00:55 2026-01-31T00:05"),
    (
        "0,59,30,30 23 * * *",
        "2026-01-30",
        "2026-01-30T23:00 2026-01-30T23:30 2026-01-30T23:59 2026-01-31T23:00",
    ),
    ("0 0 31 * *", "2026-01-31", "2026-03-31T00:00 2026-05-31T00:00 2026-07-31T00:00"),
    ("0 0 29 2 *", "2026-01-01", "2028-02-29T00:00 2032-02-29T00:00"),
    ("0 0 29 2 mon", "2026-01-29", "2026-02-02T00:00 2026-02-09T00:00"),
    ("0 0 L * *", "2028-01-01", "2028-01-31T00:00 2028-02-29T00:00 2028-03-31T00:00"),
    ("0 0 1,L-3 2 *", "2026-01-01", "2026-02-01T00:00 2026-02-25T00:00 2027-02-01T00:00"),
    ("0 0 L-30 * *", "2026-01-02", "2026-03-01T00:00 2026-05-01T00:00"),
    ("0 0 * * 5L", "2026-01-01", "2026-01-30T00:00 2026-02-27T00:00 2026-03-27T00:00"),
    ("0 0 * * 0L", "2026-01-01", "2026-01-25T00:00 2026-02-22T00:00 2026-03-29T00:00"),
    ("0 0 * * mon#2", "2026-01-01", "2026-01-12T00:00 2026-02-09T00:00 2026-03-09T00:00"),
    ("0 0 * * 7#5", "2026-01-01", "2026-03-29T00:00 2026-05-31T00:00"),
    ("0 0 ? * mon,fri", "2026-01-01", "2026-01-02T00:00 2026-01-05T00:00 2026-01-09T00:00"),
    ("0 0 1 * ?", "2026-01-01", "2026-02-01T00:00 2026-03-01T00:00"),
    // Either day, if both are restricted; both, if one begins with a star.
    ("0 0 13 * fri", "2026-02-01", "2026-02-06T00:00 2026-02-13T00:00 2026-02-20T00:00 2026-02-27T00:00"),
    ("0 0 14 * fri", "2026-02-06", "2026-02-13T00:00 2026-02-14T00:00 2026-02-20T00:00"),
    ("0 0 */2 * fri", "2026-02-01", "2026-02-13T00:00 2026-02-27T00:00 2026-03-13T00:00"),
    ("0 0 1-7 * */6", "2026-02-01", "2026-02-07T00:00 2026-03-01T00:00 2026-03-07T00:00"),
    ("0 0 * jan,JUL Mon", "2026-01-19", "2026-01-26T00:00 2026-07-06T00:00"),
    ("0 0 1 */5 *", "2026-01-01", "2026-06-01T00:00 2026-11-01T00:00 2027-01-01T00:00"),
    (
        "0 12 * * fri-mon",
        "2026-01-01",
        "2026-01-02T12:00 2026-01-03T12:00 2026-01-04T12:00 2026-01-05T12:00 2026-01-09T12:00",
    ),
    ("0 12 * * fri-mon/2", "2026-01-01", "2026-01-02T12:00 2026-01-04T12:00 2026-01-09T12:00"),
    ("30 0 12 1 1 ? 2027-2029/2", "2026-01-01", "2027-01-01T12:00:30 2029-01-01T12:00:30 ."),
    ("*/20 59 23 31 12 * 2099", "2026-01-01", "2099-12-31T23:59 2099-12-31T23:59:20 2099-12-31T23:59:40 ."),
    ("0 0 0 1 1 * *", "2098-06-01", "2099-01-01T00:00 ."),
    ("0 0 1 1 *", "-000100-01-01", "1970-01-01T00:00 1971-01-01T00:00"),
    ("@hourly", "2026-01-01T00:59:59.5Z", "2026-01-01T01:00 2026-01-01T02:00"),
    ("@daily", "2026-01-01", "2026-01-02T00:00"),
    ("@weekly", "2026-01-01", "2026-01-04T00:00 2026-01-11T00:00"),
    ("@monthly", "2026-01-01", "2026-02-01T00:00"),
    ("@Yearly", "2026-01-01", "2027-01-01T00:00"),
];

#[test]
fn a_cron_says_these_ticks() {
    for (text, after, said) in SAID {
        let expected: Vec<Timestamp> =
            said.split(' ').filter(|tick| *tick != ".").map(|tick| at(&format!("{tick}Z"))).collect();
        let most = said.split(' ').count();
        assert_eq!(ticks(&cron(text), at(after), most), expected, "{text}");
    }
}

#[test]
fn these_mean_the_same() {
    for same in [
        &[
            "0 6 * * *",
            "0 0 6 * * * *",
            "00 06 ? * ?",
            "0 6 * * ?",
            "0 6 ? JAN-DEC *",
            "0 0 6 ? * * 1970-2099",
        ][..],
        &["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 ? * 0,7", "@weekly", "0 0 * * Sun-SUN"],
        &["0 0 * * 1-5", "0 0 * * MON-FRI", "0 0 * * 1,2,3,4,5", "0 0 * * 1-5/1"],
        &["0 0 * * 0-6", "0 0 * * 0-7", "0 0 * * 1-7", "0 0 * * mon-sun", "0 0 * * sun-sat", "0 0 * * 3-2"],
        &["0 0 * * sat,sun", "0 0 * * 6-7", "0 0 * * sat-sun", "0 0 * * 6-0"],
        &["0 0 * * sun,mon", "0 0 * * 7-1", "0 0 * * 0-1"],
        &["0 0 * * 0,2,4,6", "0 0 * * 0/2", "0 0 * * 7/2", "0 0 * * 0-6/2"],
        &["0 0 * * 5L", "0 0 * * friL", "0 0 * * FRIl"],
        &["0 0 * * 0#1", "0 0 * * 7#1", "0 0 * * sun#1"],
        &["*/15 * * * *", "0 */15 * * * * *"],
        &["*/40 * * * *", "*/40 */1 * * *"],
        &["0,15,30,45 * * * *", "0/15 * * * *", "0-59/15 * * * *", "45,30,15,0 * * * *"],
        &["@daily", "@midnight", "0 0 * * *", " @DAILY "],
        &["@yearly", "@annually", "0 0 1 1 *", "0 0 1 jan ?"],
        &["0 0 L * *", "0 0 l * *"],
        &["@hourly", "0 * * * *", "0 0 * * * * *"],
    ] {
        for other in same {
            let set = |text: &str| (cron(text), ticks(&cron(text), at("2026-01-01"), 20));
            assert_eq!(set(other).1, set(same[0]).1, "{other}");
            // Days that are restricted to all there are mean the same, but are told apart from days that are not.
            if !other.contains("0-")
                && !other.contains("1-7")
                && !other.contains("sat")
                && !other.contains("3-2")
            {
                assert_eq!(set(other).0, set(same[0]).0, "{other}");
            }
        }
    }
    assert_ne!(cron("0 6 * * *"), Timing::cron("0 6 * * *", zone("Europe/Berlin")).unwrap());
    assert_ne!(cron("0 6 * * *"), cron("0 6 * * *").until(Some(at("2026-01-01"))));
}

/// Text, code, and what the message says.
const REFUSED: &[(&str, &str, &str)] = &[
    ("", "field_count", "has 0 fields; write five (minute, hour"),
    ("6", "field_count", "the cron `6` has 1 field;"),
    ("0 6 * *", "field_count", "has 4 fields"),
    ("0 0 6 * * * * *", "field_count", "has 8 fields"),
    (
        "0 6 * * * *",
        "six_fields",
        "write seven: `0 6 * * * * *` if it begins with the second, `0 0 6 * * * *` if it ends",
    ),
    ("CRON_TZ=UTC 0 6 * * *", "assignment", "has `CRON_TZ=UTC` in it"),
    ("TZ=UTC @daily", "assignment", "leave it out, and name the zone beside"),
    ("@reboot", "reboot", "`@reboot` is no time"),
    ("@fortnightly", "unknown_macro", "`@fortnightly` is no cron; write one of `@hourly`"),
    ("@every 5m", "unknown_macro", "`@every 5m`"),
    (
        "60 * * * *",
        "bad_field",
        "`60` cannot stand for the minute; write `*`, `*/15`, or a list of numbers from 0 to 59",
    ),
    ("-1 * * * *", "bad_field", "`-1` cannot stand for the minute"),
    ("+1 * * * *", "bad_field", "`+1`"),
    ("1.5 * * * *", "bad_field", "`1.5`"),
    ("00001 * * * *", "bad_field", "`00001`"),
    ("1, * * * *", "bad_field", "`1,` cannot stand"),
    ("1,,2 * * * *", "bad_field", "`1,,2` cannot stand"),
    (", * * * *", "bad_field", "`,` cannot stand"),
    ("1-2-3 * * * *", "bad_field", "`1-2-3`"),
    ("1- * * * *", "bad_field", "`1-`"),
    ("*,5 * * * *", "bad_field", "`*,5`"),
    ("5,* * * * *", "bad_field", "`*` cannot stand"),
    ("*5 * * * *", "bad_field", "`*5`"),
    ("? * * * *", "bad_field", "`?` cannot stand for the minute"),
    ("L * * * *", "bad_field", "`L` cannot stand for the minute"),
    ("H * * * *", "bad_field", "`H` cannot stand for the minute"),
    ("jan * * * *", "bad_field", "`JAN` cannot stand for the minute"),
    (
        "0 24 * * *",
        "bad_field",
        "`24` cannot stand for the hour; write `*`, `*/6`, or a list of numbers from 0 to 23",
    ),
    ("0 6pm * * *", "bad_field", "`6PM` cannot stand for the hour"),
    ("0 6 0 * *", "bad_field", "`0` cannot stand for the day of month; write `*`, `?`"),
    ("0 6 32 * *", "bad_field", "`32` cannot stand for the day of month"),
    ("0 6 15W * *", "bad_field", "`15W` cannot stand for the day of month"),
    ("0 6 LW * *", "bad_field", "`LW` cannot stand for the day of month"),
    ("0 6 L-31 * *", "bad_field", "`L-31` cannot stand for the day of month"),
    ("0 6 L-0 * *", "bad_field", "`L-0`"),
    ("0 6 1-L * *", "bad_field", "`1-L`"),
    ("0 6 L/2 * *", "bad_field", "`L/2`"),
    ("0 6 ?/2 * *", "bad_field", "`?/2`"),
    ("0 6 mon * *", "bad_field", "`MON` cannot stand for the day of month"),
    (
        "0 6 * 0 *",
        "bad_field",
        "`0` cannot stand for the month; write `*`, `*/3`, or a list of numbers from 1 to 12, names",
    ),
    ("0 6 * 13 *", "bad_field", "`13` cannot stand for the month"),
    ("0 6 * january *", "bad_field", "`JANUARY` cannot stand for the month"),
    ("0 6 * ? *", "bad_field", "`?` cannot stand for the month"),
    (
        "0 6 * * 8",
        "bad_field",
        "`8` cannot stand for the day of week; write `*`, `?`, or a list of numbers from 0 to 7",
    ),
    ("0 6 * * monday", "bad_field", "`MONDAY` cannot stand for the day of week"),
    ("0 6 * * L", "bad_field", "`L` cannot stand for the day of week"),
    ("0 6 * * 8L", "bad_field", "`8L`"),
    ("0 6 * * mon#0", "bad_field", "`MON#0`"),
    ("0 6 * * mon#6", "bad_field", "`MON#6`"),
    ("0 6 * * #2", "bad_field", "`#2`"),
    ("0 6 * * mon-fri#2", "bad_field", "`MON-FRI#2`"),
    ("60 0 6 * * * *", "bad_field", "`60` cannot stand for the second"),
    (
        "0 0 6 * * * 1969",
        "bad_field",
        "`1969` cannot stand for the year; write `*`, `*/2`, or a list of numbers from 1970",
    ),
    ("0 0 6 * * * 2100", "bad_field", "`2100` cannot stand for the year"),
    ("0 0 6 * * * 26", "bad_field", "`26` cannot stand for the year"),
    ("0 6\u{a0}* * * *", "bad_field", "`6\u{a0}*` cannot stand for the hour"),
    (
        "0 22-2 * * *",
        "reversed",
        "the range `22-2` of the hour ends before it begins; write `2-22`, or `22-23,0-2` if",
    ),
    ("0 23-0 * * *", "reversed", "write `0-23`, or `23,0` if"),
    ("50-10/5 * * * *", "reversed", "the range `50-10/5` of the minute"),
    ("0 6 25-5 * *", "reversed", "write `5-25`, or `25-31,1-5` if"),
    (
        "0 6 * nov-feb *",
        "reversed",
        "the range `NOV-FEB` of the month ends before it begins; write `2-11`, or `11-12,1-2` if",
    ),
    (
        "*/0 * * * *",
        "bad_step",
        "`*/0` has steps that the minute cannot take; write a number from 1 to 59 after `/`",
    ),
    ("*/90 * * * *", "bad_step", "`*/90` has steps"),
    ("*/ * * * *", "bad_step", "`*/` has steps"),
    ("5/ * * * *", "bad_step", "`5/` has steps"),
    ("*/5/2 * * * *", "bad_step", "`*/5/2` has steps"),
    ("0 */24 * * *", "bad_step", "the hour cannot take; write a number from 1 to 23"),
    ("0 6 * * */7", "bad_step", "the day of week cannot take; write a number from 1 to 6"),
    ("0 0 30 2 *", "never", "the cron `0 0 30 2 *` never fires"),
    ("0 0 31 4,6,9,11 *", "never", "write days that some month has"),
    ("0 0 L-29 2 *", "never", "never fires"),
    ("0 0 0 29 2 * 2023,2025", "never", "no year from 1970 to 2099 has such a time"),
    ("* * * 30 2 ? *", "never", "never fires"),
];

#[test]
fn all_else_is_refused_with_what_to_write() {
    for (text, code, said) in REFUSED {
        let error = Timing::cron(text, Zone::utc()).expect_err(text);
        let message = error.to_string();
        let said = said.replace('\u{a0}', "\\u{a0}");
        assert!(kind(&error) == *code && message.contains(&said), "{text}: {} {message}", kind(&error));
    }
    // A gap is never shown.
    let gap = Timing::cron("* 30 2 8 3 * 2026", zone("America/New_York")).unwrap_err();
    assert_eq!(kind(&gap), "never");
    let long = Timing::cron(&"1,".repeat(10_000), Zone::utc()).unwrap_err().to_string();
    assert!(long.len() < 400, "{long}");
}

#[test]
fn every_code_is_shown_by_a_text() {
    let codes: BTreeSet<&str> = REFUSED.iter().map(|(_, code, _)| *code).collect();
    assert_eq!(codes.len(), 9, "{codes:?}");
    let error = Timing::every(Duration::from_millis(1_500)).unwrap_err();
    assert_eq!(
        (kind(&error), error.to_string().as_str()),
        (
            "bad_length",
            "1.5s is no length of time between ticks; write whole seconds, at least \"1s\" and at most \"366d\""
        )
    );
}

/// Cron, zone, an instant, and the ticks after it.
const SET: &[(&str, &str, &str, &str)] = &[
    // Set forward from 02:00 to 03:00 at 07:00Z: what is skipped happens at 03:00.
    ("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", "2026-03-08T07:00 2026-03-09T06:30"),
    (
        "0,30 2,3 * * *",
        "America/New_York",
        "2026-03-08T05:00Z",
        "2026-03-08T07:00 2026-03-08T07:30 2026-03-09T06:00",
    ),
    (
        "*/30 * * * *",
        "America/New_York",
        "2026-03-08T06:00Z",
        "2026-03-08T06:30 2026-03-08T07:00 2026-03-08T07:30",
    ),
    ("*/30 2 * * *", "America/New_York", "2026-03-08T05:00Z", "2026-03-09T06:00"),
    // Set back from 02:00 to 01:00 at 06:00Z: what comes twice happens the first time.
    ("30 1 * * *", "America/New_York", "2026-11-01T00:00Z", "2026-11-01T05:30 2026-11-02T06:30"),
    ("0 2 * * *", "America/New_York", "2026-11-01T00:00Z", "2026-11-01T07:00 2026-11-02T07:00"),
    (
        "30 0-3 * * *",
        "America/New_York",
        "2026-11-01T05:00Z",
        "2026-11-01T05:30 2026-11-01T07:30 2026-11-01T08:30",
    ),
    (
        "30 * * * *",
        "America/New_York",
        "2026-11-01T05:00Z",
        "2026-11-01T05:30 2026-11-01T06:30 2026-11-01T07:30",
    ),
    (
        "*/30 1 * * *",
        "America/New_York",
        "2026-11-01T05:00Z",
        "2026-11-01T05:00:00 2026-11-01T05:30 2026-11-01T06:00 2026-11-01T06:30 2026-11-02T06:00",
    ),
    // Asked between the two.
    ("45 1 * * *", "America/New_York", "2026-11-01T06:10Z", "2026-11-02T06:45"),
    // Half an hour, and midnight that is skipped.
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", "2026-10-03T15:30 2026-10-04T15:15"),
    ("0 0 * * *", "Africa/Cairo", "2026-04-23T00:00Z", "2026-04-23T22:00 2026-04-24T21:00"),
    // The day that Samoa left out.
    ("0 6 * * *", "Pacific/Apia", "2011-12-29T12:00Z", "2011-12-29T16:00 2011-12-30T10:00 2011-12-30T16:00"),
    ("0 6,18 30 12 *", "Pacific/Apia", "2011-01-01", "2011-12-30T10:00 2012-12-29T16:00 2012-12-30T04:00"),
    ("0 * 30 12 *", "Pacific/Apia", "2011-12-01", "2012-12-29T10:00"),
    // The first and the last hours of all.
    ("0 12 * * *", "Pacific/Kiritimati", "1970-01-01T00:00Z", "1970-01-01T22:40"),
    ("0 0 1 1 *", "Pacific/Kiritimati", "1969-12-01T00:00Z", "1970-01-01T10:40 1971-01-01T10:40"),
    ("59 23 31 12 *", "Etc/GMT+12", "2099-06-01T00:00Z", "2100-01-01T11:59 ."),
];

#[test]
fn where_clocks_are_set_one_rule_holds() {
    for (text, zone_name, after, said) in SET {
        let timing = Timing::cron(text, zone(zone_name)).unwrap();
        let expected: Vec<Timestamp> =
            said.split(' ').filter(|tick| *tick != ".").map(|tick| at(&format!("{tick}Z"))).collect();
        // Strictly after: the instant itself is looked for from a second before.
        let after = if expected[0] == at(after) { at(after) - Duration::from_secs(1) } else { at(after) };
        assert_eq!(ticks(&timing, after, said.split(' ').count()), expected, "{text} {zone_name}");
        let last = *expected.last().unwrap();
        assert_eq!(timing.last(last, after), Some(last), "{text} {zone_name}");
        assert_eq!(timing.count(after, last), expected.len() as u64, "{text} {zone_name}");
    }
}

#[test]
fn multiples_of_a_length_are_counted_from_1970() {
    let every = |seconds| Timing::every(Duration::from_secs(seconds)).unwrap();
    let (a, b) = (at("2026-01-01T00:00:05Z"), at("2026-01-01T00:01Z"));
    assert_eq!(
        ticks(&every(20), a, 3),
        ["00:20", "00:40", "01:00"].map(|time| at(&format!("2026-01-01T00:{time}Z")))
    );
    assert_eq!(every(20).last(b, a), Some(b));
    assert_eq!(every(20).last(at("2026-01-01T00:00:19.9Z"), a), None);
    assert_eq!((every(20).count(a, b), every(20).count(b, a), every(20).count(b, b)), (3, 0, 0));
    assert_eq!(every(7 * 86_400).next(at("1969-12-31")), Some(at("1970-01-01")));
    assert_eq!(every(7 * 86_400).next(at("1970-01-01")), Some(at("1970-01-08")));
    assert_eq!(every(3_600).next(at("1969-12-31T22:00:00.5Z")), Some(at("1969-12-31T23:00Z")));
    assert_eq!(every(3_600).next(Timestamp::MAX), None);
    assert!(every(3_600).next(Timestamp::MIN).is_some());
    assert_eq!(every(1).count(at("1970-01-01"), at("2026-01-01")), at("2026-01-01").as_second() as u64);
    for seconds in [0, 366 * 86_400 + 1] {
        assert!(Timing::every(Duration::from_secs(seconds)).is_err());
    }
    assert!(matches!(Timing::every(Duration::from_millis(999)), Err(TimingError::BadLength { .. })));
    assert!(Timing::every(Duration::from_secs(366 * 86_400)).is_ok());
}

#[test]
fn none_comes_after_the_end() {
    let end = at("2026-01-03T06:00Z");
    for timing in [cron("0 6 * * *"), Timing::every(Duration::from_secs(6 * 3_600)).unwrap()] {
        let timing = timing.until(Some(end));
        assert_eq!(timing.next(end - Duration::from_nanos(1)), Some(end));
        assert_eq!(timing.next(end), None);
        assert_eq!(timing.last(at("2026-02-01"), at("2026-01-01")), Some(end));
        assert_eq!(timing.last(at("2026-02-01"), end), None);
        assert_eq!(timing.count(at("2026-01-03"), at("2030-01-01")), timing.count(at("2026-01-03"), end));
        assert_eq!(timing.count(end, at("2030-01-01")), 0);
        assert_eq!(timing.clone().until(None).count(end, at("2026-01-04T06:00Z")) % 3, 1);
    }
}

/// All seconds of 130 years and all days: if they were listed, this would take minutes.
#[test]
fn ticks_are_counted_without_being_listed() {
    let (from, to) = (at("1969-12-31T23:59:59Z"), at("2099-12-31T23:59:59Z"));
    let seconds = (to.as_second() - from.as_second()) as u64;
    assert_eq!(cron("* * * * * * *").count(from, to), seconds);
    assert_eq!(cron("* * * * *").count(from, to), seconds / 60);
    assert_eq!(cron("0 6 * * *").count(from, to), seconds / 86_400);
    assert_eq!(cron("0-59 0-59 0-23 * * * *").count(Timestamp::MIN, Timestamp::MAX), seconds);
    // A clock passes all instants, and shows all days but one; each local time that it skips shares an instant with others.
    let (from, to) = (at("2011-01-01"), at("2013-01-01"));
    let seconds = (to.as_second() - from.as_second()) as u64;
    let count = |text| Timing::cron(text, zone("Pacific/Apia")).unwrap().count(from, to);
    assert_eq!(count("* * * * * * *"), seconds);
    assert_eq!(count("0 6 * * *"), 732);
    assert_eq!(count("0 0 * * *"), 731);
}

#[test]
fn ticks_are_put_off_by_less_than_the_most_and_always_by_the_same() {
    let most = Duration::from_secs(600);
    let off =
        |name: &str, minute: i64| Timing::jitter(name, Timestamp::from_second(minute * 60).unwrap(), most);
    // Pinned, since a server that comes back must find the same.
    assert_eq!(
        [off("nightly", 0), off("nightly", 1), off("sales", 1)].map(|off| off.as_millis()),
        [77_664, 477_439, 97_090]
    );
    let all: Vec<Duration> = (-500..500).map(|minute| off("nightly", minute)).collect();
    assert!(all.iter().all(|off| *off < most && off.subsec_nanos() % 1_000_000 == 0));
    // They are spread over all of it.
    for tenth in 0..10 {
        let within = all.iter().filter(|off| off.as_secs() / 60 == tenth).count();
        assert!((60..140).contains(&within), "{tenth}: {within}");
    }
    assert_eq!(Timing::jitter("nightly", at("2026-01-01"), Duration::ZERO), Duration::ZERO);
    assert_eq!(Timing::jitter("nightly", at("2026-01-01"), Duration::from_micros(900)), Duration::ZERO);
    assert!(Timing::jitter("nightly", at("2026-01-01"), Duration::MAX) > Duration::ZERO);
}

/// The kind of what is wrong.
fn kind(error: &TimingError) -> &'static str {
    match error {
        TimingError::FieldCount { .. } => "field_count",
        TimingError::SixFields { .. } => "six_fields",
        TimingError::Assignment { .. } => "assignment",
        TimingError::Reboot => "reboot",
        TimingError::UnknownMacro { .. } => "unknown_macro",
        TimingError::BadField { .. } => "bad_field",
        TimingError::Reversed { .. } => "reversed",
        TimingError::BadStep { .. } => "bad_step",
        TimingError::Never { .. } => "never",
        TimingError::BadLength { .. } => "bad_length",
    }
}
