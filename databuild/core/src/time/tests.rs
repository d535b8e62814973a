//! Tables of what is easy to get wrong about calendars and zones.

use super::*;
use crate::key_error::KeyError;
use crate::range_set::{Key, RangeSet};
use jiff::Timestamp;

fn space(granularity: Granularity, zone: &str) -> TimeSpace {
    TimeSpace::new(granularity, 0, None, Zone::named(zone).unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn days_have_23_24_and_25_hours() {
    let table = [
        ("UTC", "2010-03-14", 24),
        ("America/New_York", "2010-03-14", 23),
        ("America/New_York", "2010-03-15", 24),
        ("America/New_York", "2010-11-07", 25),
        ("Europe/Berlin", "2010-03-28", 23),
        ("Europe/Berlin", "2010-10-31", 25),
        ("Asia/Kolkata", "2010-06-01", 24),
        // Half an hour of daylight saving makes one hour longer or shorter.
        ("Australia/Lord_Howe", "2010-04-04", 24),
        ("Australia/Lord_Howe", "2010-10-03", 24),
        // Around the day that Samoa left out when it moved over the date line.
        ("Pacific/Apia", "2011-12-29", 24),
        ("Pacific/Apia", "2011-12-31", 24),
        // Alaska had a day twice when it moved the other way, in the afternoon.
        ("America/Juneau", "1867-10-19", 49),
    ];
    for (zone, day, hours) in table {
        let hourly = space(Granularity::Hour, zone);
        let day = space(Granularity::Day, zone).parse_key(day).unwrap();
        let count = hourly.within(Granularity::Day, day).map_or(0, |(lo, hi)| hi - lo + 1);
        assert_eq!(count, hours, "{zone} {day}");
    }
}

/// Clocks in St. John's were set back at one minute past midnight, so the label of the day came, went and
/// came again; hours still belong to exactly one day each, in order.
#[test]
fn setting_clocks_back_over_midnight_keeps_days_in_order() {
    let hourly = space(Granularity::Hour, "America/St_Johns");
    let day = space(Granularity::Day, "America/St_Johns").parse_key("2010-11-07").unwrap();
    let (lo, hi) = hourly.within_all(Granularity::Day, day - 1, day + 1).unwrap();
    let days: Vec<Key> = (lo..=hi).map(|hour| hourly.containing(Granularity::Day, hour)).collect();
    assert!(days.is_sorted());
    for day in day - 1..=day + 1 {
        let (lo, hi) = hourly.within(Granularity::Day, day).unwrap();
        assert!((lo..=hi).all(|hour| hourly.containing(Granularity::Day, hour) == day), "{day}");
    }
}

#[test]
fn days_that_a_zone_left_out_are_no_keys() {
    use Granularity::{Day, Month};
    let days = space(Day, "Pacific/Apia");
    assert_eq!(
        days.parse_key("2011-12-30").unwrap_err().to_string(),
        "there is no day `2011-12-30` in Pacific/Apia: the zone moved over the date line and left it out"
    );
    let (before, after) = (days.parse_key("2011-12-29").unwrap(), days.parse_key("2011-12-31").unwrap());
    assert_eq!(after, before + 1);
    assert_eq!(days.format_key(after), "2011-12-31");
    assert_eq!(days.ends_at(before), Some(at("2011-12-30T10:00Z")));
    assert_eq!(days.extent(at("2011-12-31T09:59:59Z")).last(), Some(before));
    assert_eq!(days.extent(at("2011-12-31T10:00Z")).last(), Some(after));
    let month = space(Month, "Pacific/Apia").parse_key("2011-12").unwrap();
    let (first, last) = days.within(Month, month).unwrap();
    assert_eq!((days.format_key(first), last - first), ("2011-12-01".to_owned(), 29));
    assert_eq!(days.containing(Month, after), month);
    assert_eq!(days.containing(Month, after + 1), month + 1);
    for (zone, day) in [("Pacific/Kwajalein", "1993-08-21"), ("Pacific/Kiritimati", "1994-12-31")] {
        assert_eq!(space(Day, zone).parse_key(day).unwrap_err().code(), "skipped_day", "{zone}");
    }
    // An hour of such a day is none either.
    assert_eq!(
        space(Granularity::Hour, "Pacific/Apia").parse_key("2011-12-30T05").unwrap_err().code(),
        "skipped_hour"
    );
}

#[test]
fn names_of_one_zone_are_equal() {
    let zone = |name| Zone::named(name).unwrap();
    for (one, other) in [
        ("UTC", "Etc/UTC"),
        ("US/Pacific", "America/Los_Angeles"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Australia/LHI", "Australia/Lord_Howe"),
    ] {
        assert_eq!(zone(one), zone(other));
        assert_eq!(zone(one).cmp(&zone(other)), std::cmp::Ordering::Equal);
    }
    assert_eq!(Zone::utc(), zone("Etc/UTC"));
    for (one, other) in
        [("UTC", "Europe/London"), ("Europe/Kyiv", "Europe/Sofia"), ("Etc/GMT+1", "Etc/GMT-1")]
    {
        assert_ne!(zone(one), zone(other));
    }
}

#[test]
fn hour_texts() {
    // Zone, first instant, minutes, text.
    let table = [
        ("UTC", "2010-06-01T13:00Z", 60, "2010-06-01T13"),
        ("America/New_York", "2010-06-01T17:00Z", 60, "2010-06-01T13"),
        ("America/New_York", "2010-11-07T04:00Z", 60, "2010-11-07T00"),
        ("America/New_York", "2010-11-07T05:00Z", 60, "2010-11-07T01-04:00"),
        ("America/New_York", "2010-11-07T06:00Z", 60, "2010-11-07T01-05:00"),
        ("America/New_York", "2010-11-07T07:00Z", 60, "2010-11-07T02"),
        ("Europe/Berlin", "2010-10-31T00:00Z", 60, "2010-10-31T02+02:00"),
        ("Europe/Berlin", "2010-10-31T01:00Z", 60, "2010-10-31T02+01:00"),
        ("Asia/Kolkata", "2010-06-01T07:30Z", 60, "2010-06-01T13"),
        ("Asia/Kathmandu", "2024-01-01T00:15Z", 60, "2024-01-01T06"),
        // Until 1986 the offset was 5:30, then 5:45: at midnight clocks were set to 00:15.
        ("Asia/Kathmandu", "1985-12-31T17:30Z", 60, "1985-12-31T23"),
        ("Asia/Kathmandu", "1985-12-31T18:30Z", 45, "1986-01-01T00"),
        ("Asia/Kathmandu", "1985-12-31T19:15Z", 60, "1986-01-01T01"),
        ("Australia/Lord_Howe", "2010-06-01T02:30Z", 60, "2010-06-01T13"),
        ("Australia/Lord_Howe", "2010-12-01T02:00Z", 60, "2010-12-01T13"),
        // Half an hour comes twice within one hour, and half an hour is left out of another.
        ("Australia/Lord_Howe", "2010-04-03T14:00Z", 90, "2010-04-04T01"),
        ("Australia/Lord_Howe", "2010-04-03T15:30Z", 60, "2010-04-04T02"),
        ("Australia/Lord_Howe", "2010-10-02T15:30Z", 30, "2010-10-03T02"),
        ("Australia/Lord_Howe", "2010-10-02T16:00Z", 60, "2010-10-03T03"),
        ("Australia/Lord_Howe", "2410-10-02T15:30Z", 30, "2410-10-03T02"),
        // At one minute past midnight clocks were set back to 23:01.
        ("America/St_Johns", "2010-11-07T01:30Z", 60, "2010-11-06T23-02:30"),
        ("America/St_Johns", "2010-11-07T02:30Z", 1, "2010-11-07T00-02:30"),
        ("America/St_Johns", "2010-11-07T02:31Z", 59, "2010-11-06T23-03:30"),
        ("America/St_Johns", "2010-11-07T03:30Z", 60, "2010-11-07T00-03:30"),
        ("UTC", "0001-01-01T00:00Z", 60, "0001-01-01T00"),
    ];
    for (zone, instant, minutes, text) in table {
        let space = space(Granularity::Hour, zone);
        let key = space.parse_key(text).unwrap();
        let ends = at(instant) + jiff::SignedDuration::from_mins(minutes);
        assert_eq!(space.ends_at(key), Some(ends), "{zone} {text}");
        assert_eq!(
            key.checked_sub(1).and_then(|before| space.ends_at(before)).unwrap_or(at(instant)),
            at(instant)
        );
        assert_eq!(space.format_key(key), text);
    }
    let lord_howe = space(Granularity::Hour, "Australia/Lord_Howe");
    for offset in ["+11:00", "+10:30"] {
        assert_eq!(
            lord_howe.parse_key(&format!("2010-04-04T01{offset}")),
            lord_howe.parse_key("2010-04-04T01")
        );
    }
    // Times of the sun, before there were zones.
    let old = space(Granularity::Hour, "America/New_York");
    let noon = old.parse_key("1880-06-01T13").unwrap();
    assert_eq!(old.ends_at(noon), Some(at("1880-06-01T18:56:02Z")));
    // An offset may be given where it need not be.
    let new_york = space(Granularity::Hour, "America/New_York");
    assert_eq!(new_york.parse_key("2010-06-01T13-04:00"), new_york.parse_key("2010-06-01T13"));
    assert_eq!(new_york.parse_key("2010-06-01T13:00"), new_york.parse_key("2010-06-01T13"));
}

#[test]
fn hours_that_are_none_say_why() {
    let error = |zone, text| space(Granularity::Hour, zone).parse_key(text).unwrap_err();
    assert_eq!(
        error("America/New_York", "2010-03-14T02").to_string(),
        "there is no hour `2010-03-14T02` in America/New_York: clocks were set forward over it"
    );
    assert_eq!(
        error("America/New_York", "2010-11-07T01").to_string(),
        "the hour `2010-11-07T01` comes twice in America/New_York; write 2010-11-07T01-04:00 or 2010-11-07T01-05:00"
    );
    assert_eq!(
        error("Asia/Kolkata", "2010-06-01T13:30").to_string(),
        "`2010-06-01T13:30` is not a full hour of the clock in Asia/Kolkata; did you mean 2010-06-01T13?"
    );
    assert_eq!(error("America/New_York", "2010-06-01T13-05:00").code(), "wrong_offset");
    for text in ["2010-06-01T24", "2010-06-31T00", "2010-06-01T13:60"] {
        assert_eq!(error("UTC", text).code(), "not_in_calendar", "{text}");
    }
    for text in [
        "2010-06-01",
        "2010-06-01T1",
        "2010-06-01 13",
        "2010-06-01T13Z",
        "2010-06-01T13+1",
        "2010-06-01T13+01:99",
    ] {
        assert_eq!(error("UTC", text).code(), "bad_time_key", "{text}");
    }
}

#[test]
fn texts_of_longer_periods() {
    use Granularity::{Day, Month, Week, Year};
    let good = [
        (Day, "2010-06-01"),
        (Day, "2012-02-29"),
        (Day, "9999-12-31"),
        (Week, "2010-W05"),
        (Week, "2009-W53"),
        (Week, "2020-W53"),
        (Week, "0001-W01"),
        (Month, "2010-06"),
        (Year, "2010"),
        (Year, "0001"),
    ];
    for (granularity, text) in good {
        let space = space(granularity, "UTC");
        assert_eq!(space.format_key(space.parse_key(text).unwrap()), text);
    }
    let bad = [
        (Day, "2010-02-29", "not_in_calendar"),
        (Day, "2010-00-10", "not_in_calendar"),
        (Day, "0000-01-01", "not_in_calendar"),
        (Week, "2010-W53", "not_in_calendar"),
        (Week, "2010-W00", "not_in_calendar"),
        (Month, "2010-13", "not_in_calendar"),
        (Year, "0000", "not_in_calendar"),
        (Day, "2010-6-1", "bad_time_key"),
        (Day, "2010-06-01 ", "bad_time_key"),
        (Day, "2010-06", "bad_time_key"),
        (Day, "+010-06-01", "bad_time_key"),
        (Day, "２010-06-01", "bad_time_key"),
        (Week, "2010-05", "bad_time_key"),
        (Month, "2010-06-01", "bad_time_key"),
        (Year, "10", "bad_time_key"),
        (Year, "", "bad_time_key"),
    ];
    for (granularity, text, code) in bad {
        assert_eq!(space(granularity, "UTC").parse_key(text).unwrap_err().code(), code, "{text}");
    }
    assert_eq!(space(Day, "UTC").format_key(Key::MAX), format!("#{}", Key::MAX));
    assert_eq!(space(Granularity::Hour, "Europe/Berlin").format_key(Key::MAX), format!("#{}", Key::MAX));
}

#[test]
fn a_key_exists_once_its_period_has_ended_in_its_zone() {
    use Granularity::{Day, Hour, Month, Week, Year};
    // Zone, length, instant, last key that exists then.
    let table = [
        ("UTC", Day, "2010-06-02T00:00:00Z", "2010-06-01"),
        ("UTC", Day, "2010-06-01T23:59:59.999Z", "2010-05-31"),
        ("America/New_York", Day, "2010-06-02T03:59:59Z", "2010-05-31"),
        ("America/New_York", Day, "2010-06-02T04:00:00Z", "2010-06-01"),
        ("Asia/Kolkata", Day, "2010-06-01T18:30:00Z", "2010-06-01"),
        ("Asia/Kolkata", Hour, "2010-06-01T18:30:00Z", "2010-06-01T23"),
        ("America/New_York", Hour, "2010-11-07T07:00:00Z", "2010-11-07T01-05:00"),
        ("Europe/Berlin", Week, "2010-01-03T23:00:00Z", "2009-W53"),
        ("Europe/Berlin", Month, "2010-05-31T22:00:00Z", "2010-05"),
        ("Europe/Berlin", Year, "2010-12-31T22:59:59Z", "2009"),
    ];
    for (zone, granularity, instant, last) in table {
        let space = space(granularity, zone);
        let key = space.extent(at(instant)).last().unwrap();
        assert_eq!(space.format_key(key), last, "{zone} {instant}");
        assert!(space.ends_at(key).unwrap() <= at(instant));
        assert!(space.ends_at(key + 1).unwrap() > at(instant));
    }
}

#[test]
fn an_extent_stays_within_the_space() {
    let days = TimeSpace::parse(Granularity::Day, "2010-01-01", Some("2010-12-31"), "utc").unwrap();
    assert_eq!(days.zone().name(), "UTC");
    assert_eq!(days.extent(at("2020-01-01T00:00Z")), days.bounds());
    assert_eq!(days.extent(at("2010-01-03T05:00Z")).len(), 2);
    assert_eq!(days.extent(at("2009-01-03T05:00Z")), RangeSet::new());
    assert_eq!(days.extent(at("-000001-01-03T05:00Z")), RangeSet::new());
    assert_eq!(days.extent(Timestamp::MAX).len(), 365);
    assert_eq!(
        days.parse_key("2009-12-31").unwrap_err().to_string(),
        "`2009-12-31` is before the first key 2010-01-01"
    );
    assert_eq!(
        days.parse_key("2011-01-01").unwrap_err().to_string(),
        "`2011-01-01` is after the last key 2010-12-31"
    );
}

/// Version 0.1.0 numbered hours by those of UTC.
#[test]
fn stored_declarations_of_other_hours_and_days_are_read() {
    let hours = |start, end| TimeSpace::parse_stored(Granularity::Hour, start, end, "Asia/Kolkata").unwrap();
    assert_eq!(
        hours("2023-12-31T23:30", Some("2024-02-01T00:30")),
        hours("2023-12-31T23", Some("2024-02-01T00"))
    );
    let days = |start| TimeSpace::parse_stored(Granularity::Day, start, None, "Pacific/Apia").unwrap();
    assert_eq!(days("2011-12-30"), days("2011-12-31"));
}

#[test]
fn spaces_that_are_none() {
    let parse = |start, end, zone| TimeSpace::parse(Granularity::Day, start, end, zone).unwrap_err();
    assert_eq!(parse("2010-01-02", Some("2010-01-01"), "UTC").code(), "empty_key_space");
    assert_eq!(parse("2010-01", None, "UTC").code(), "bad_time_key");
    for zone in ["Europe/Nowhere", "", "+01:00", "../UTC"] {
        assert_eq!(parse("2010-01-01", None, zone), KeyError::UnknownZone { name: zone.to_owned() });
    }
}

#[test]
fn a_space_grows_when_its_next_key_comes() {
    let now = at("2010-03-13T23:30:00Z");
    for (granularity, zone) in [
        (Granularity::Hour, "Asia/Kolkata"),
        (Granularity::Hour, "America/New_York"),
        (Granularity::Day, "America/New_York"),
        (Granularity::Week, "Pacific/Apia"),
        (Granularity::Month, "Europe/Berlin"),
        (Granularity::Year, "UTC"),
    ] {
        let space = space(granularity, zone);
        let mut as_of = now;
        for _ in 0..100 {
            let next = space.grows_at(as_of).unwrap();
            assert!(next > as_of, "{zone} {as_of}");
            let before = next - jiff::SignedDuration::from_nanos(1);
            assert_eq!(space.extent(before), space.extent(as_of), "{zone} {as_of}");
            assert_ne!(space.extent(next), space.extent(as_of), "{zone} {as_of}");
            as_of = next;
        }
    }
    let days = space(Granularity::Day, "UTC");
    let (first, last) = (days.parse_key("2010-06-01").unwrap(), days.parse_key("2010-06-02").unwrap());
    let later = TimeSpace::new(Granularity::Day, first, Some(last), Zone::named("UTC").unwrap()).unwrap();
    assert_eq!(later.grows_at(now), later.ends_at(first));
    assert_eq!(later.grows_at(later.ends_at(last).unwrap()), None);
}
