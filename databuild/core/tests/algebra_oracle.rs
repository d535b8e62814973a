//! The set algebra against oracles that enumerate: `BTreeSet`s, nested loops, and the calendar library.

use databuild_core::keys::KeySpace;
use databuild_core::mapping::{DimRule, Edge, HoleSide, Mapping, MappingProblem, Side};
use databuild_core::named_keys::NamedKeys;
use databuild_core::partition_set::{size, Order, PartitionKey, PartitionSet, Shape};
use databuild_core::range_set::{Key, RangeSet};
use databuild_core::reference::{self, ReferenceText};
use databuild_core::symbols::Symbols;
use databuild_core::time::{Granularity, TimeSpace, Zone};
use jiff::civil::{date, Date};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Unit, ZonedDateTime};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const ZONES: [&str; 6] =
    ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"];

/// Turns a stream of random numbers into choices, so that one proptest value makes a whole scenario.
struct Choices<'a>(std::slice::Iter<'a, u32>);

impl Choices<'_> {
    /// A number below `n`; 0 once the stream is used up.
    fn below(&mut self, n: u32) -> u32 {
        self.0.next().map_or(0, |x| x % n)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize].clone()
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.below(one_in) == 1
    }
}

/// So many times the usual number of cases. A failure prints its smallest input; none is written to disk.
fn config(times: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: times * usual.cases, failure_persistence: None, ..usual }
}

fn choices() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 120)
}

// --- Sets of keys ---------------------------------------------------------------------------------

fn plain(set: &RangeSet) -> BTreeSet<Key> {
    set.iter().collect()
}

/// Ranges near either end of the range of keys.
fn ranges() -> impl Strategy<Value = Vec<(Key, Key)>> {
    let range = (0u32..40, 0u32..6).prop_map(|(lo, len)| (lo, lo + len));
    (prop::collection::vec(range, 0..12), any::<bool>()).prop_map(|(ranges, high)| {
        let base = if high { Key::MAX - 45 } else { 0 };
        ranges.into_iter().map(|(lo, hi)| (base + lo, base + hi)).collect()
    })
}

fn assert_canonical(set: &RangeSet) -> Result<(), TestCaseError> {
    let runs: Vec<(Key, Key)> = set.ranges().collect();
    prop_assert!(runs.iter().all(|(lo, hi)| lo <= hi));
    prop_assert!(runs.windows(2).all(|pair| u64::from(pair[0].1) + 1 < u64::from(pair[1].0)), "{runs:?}");
    Ok(())
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn range_sets_are_sets(a in ranges(), b in ranges(), n in 0u64..30, by in -50i64..50) {
        let (x, y) = (RangeSet::from_ranges(a.clone()), RangeSet::from_ranges(b.clone()));
        let (p, q): (BTreeSet<Key>, BTreeSet<Key>) =
            (a.iter().flat_map(|(lo, hi)| *lo..=*hi).collect(), b.iter().flat_map(|(lo, hi)| *lo..=*hi).collect());
        prop_assert_eq!(&plain(&x), &p);
        prop_assert_eq!(x.len(), p.len() as u64);
        prop_assert_eq!((x.first(), x.last(), x.is_empty()), (p.first().copied(), p.last().copied(), p.is_empty()));
        let shifted = p.iter().filter_map(|key| Key::try_from(i64::from(*key) + by).ok()).collect();
        let (back, ahead) = (by.unsigned_abs() as u32 % 7, by.unsigned_abs() as u32 % 5);
        let dilated = p.iter().flat_map(|key| key.saturating_sub(back)..=key.saturating_add(ahead)).collect();
        let mut united = x.clone();
        united.union_with(&y);
        let mut cut = x.clone();
        cut.subtract_with(&y);
        for (set, expected) in [
            (x.union(&y), &p | &q),
            (united, &p | &q),
            (x.intersect(&y), &p & &q),
            (x.subtract(&y), &p - &q),
            (cut, &p - &q),
            (x.shift(by), shifted),
            (x.dilate(back, ahead), dilated),
            (x.take_first(n), p.iter().copied().take(n as usize).collect()),
            (x.take_last(n), p.iter().rev().copied().take(n as usize).collect()),
            (x.map_ranges(|lo, hi| (lo / 3, hi / 3)), p.iter().map(|key| key / 3).collect()),
            (p.iter().copied().collect(), p.clone()),
        ] {
            assert_canonical(&set)?;
            prop_assert_eq!(plain(&set), expected);
        }
        prop_assert_eq!(x.intersects(&y), !p.is_disjoint(&q));
        prop_assert_eq!(x.is_subset(&y), p.is_subset(&q));
        prop_assert!(x.intersect(&y).is_subset(&x));
        prop_assert_eq!(x == y, p == q);
    }

    #[test]
    fn range_sets_change_like_sets(steps in prop::collection::vec((0u8..4, 0u32..30, 0u32..8), 0..60)) {
        let mut set = RangeSet::new();
        let mut model = BTreeSet::new();
        for (what, lo, len) in steps {
            match what {
                0 => prop_assert_eq!(set.insert(lo), model.insert(lo)),
                1 => prop_assert_eq!(set.remove(lo), model.remove(&lo)),
                2 => {
                    set.insert_range(lo, lo + len);
                    model.extend(lo..=lo + len);
                }
                _ => {
                    set.remove_range(lo, lo + len);
                    model.retain(|key| !(lo..=lo + len).contains(key));
                }
            }
            assert_canonical(&set)?;
            prop_assert_eq!(&plain(&set), &model);
            prop_assert_eq!(set.contains(lo), model.contains(&lo));
        }
    }
}

// --- Sets of partitions ---------------------------------------------------------------------------

type Model = BTreeSet<Vec<Key>>;

fn model_of(set: &PartitionSet) -> Model {
    set.iter().map(|key| key.keys().to_vec()).collect()
}

fn set_of(shape: Shape, model: &Model) -> PartitionSet {
    let mut set = PartitionSet::empty(shape);
    model.iter().for_each(|keys| {
        set.insert(&PartitionKey::new(keys.clone()));
    });
    set
}

/// All combinations, one key from each.
fn product(sets: &[Vec<Key>]) -> Model {
    sets.iter().fold(BTreeSet::from([Vec::new()]), |all, keys| {
        all.iter().flat_map(|head| keys.iter().map(|key| [head.as_slice(), &[*key]].concat())).collect()
    })
}

fn two_models() -> impl Strategy<Value = (Shape, Model, Model)> {
    (0usize..4, 0usize..4).prop_flat_map(|(dims, long)| {
        let one = || prop::collection::btree_set(prop::collection::vec(0u32..5, dims), 0..40);
        (Just(Shape::with_long(dims, long)), one(), one())
    })
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn partition_sets_are_sets((shape, p, q) in two_models(), n in 0u64..50, keys in prop::collection::btree_set(0u32..5, 0..5)) {
        let (x, y) = (set_of(shape, &p), set_of(shape, &q));
        let keys: RangeSet = keys.into_iter().collect();
        prop_assert_eq!(x.len(), p.len() as u64);
        let mut united = x.clone();
        united.union_with(&y);
        let mut cut = x.clone();
        cut.subtract_with(&y);
        let sets = vec![keys.clone(); shape.dims()];
        for (set, expected) in [
            (x.clone(), p.clone()),
            (x.union(&y), &p | &q),
            (united, &p | &q),
            (x.intersect(&y), &p & &q),
            (x.subtract(&y), &p - &q),
            (cut, &p - &q),
            (x.within(&sets), p.iter().filter(|tuple| tuple.iter().all(|key| keys.contains(*key))).cloned().collect()),
            (PartitionSet::full(shape, &sets), product(&vec![keys.iter().collect(); shape.dims()])),
        ] {
            prop_assert_eq!(model_of(&set), expected.clone());
            // Equal sets are equal however they were made.
            prop_assert_eq!(&set, &set_of(shape, &expected));
            prop_assert_eq!(set.iter().count() as u64, set.len());
        }
        for dim in 0..shape.dims() {
            let of_dim: BTreeSet<Key> = p.iter().map(|tuple| tuple[dim]).collect();
            prop_assert_eq!(plain(&x.keys_of(dim)), of_dim);
            let within: Model = p.iter().filter(|tuple| keys.contains(tuple[dim])).cloned().collect();
            prop_assert_eq!(model_of(&x.within_dim(dim, &keys)), within);
        }
        prop_assert_eq!(x.intersects(&y), !p.is_disjoint(&q));
        prop_assert_eq!(x.is_subset(&y), p.is_subset(&q));
        let in_order: Vec<PartitionKey> = x.iter().collect();
        let taken: Vec<PartitionKey> = x.take_first(n).iter().collect();
        prop_assert_eq!(&taken[..], &in_order[..in_order.len().min(n as usize)]);
        prop_assert_eq!(x.first(), in_order.first().cloned());
    }

    #[test]
    fn boxes_are_disjoint_and_add_up((shape, p, _) in two_models()) {
        let set = set_of(shape, &p);
        let listed = KeySpace::of_static(vec![3, 0, 4, 2, 1]);
        let order = Order::of(&vec![listed; shape.dims()], &Symbols::new());
        let compact = order.compact_boxes(&set);
        for boxes in [set.boxes().collect::<Vec<_>>(), compact.clone()] {
            let mut all = PartitionSet::empty(shape);
            let mut size = 0;
            for sets in &boxes {
                let part = PartitionSet::full(shape, sets);
                size += part.len();
                all.union_with(&part);
            }
            prop_assert_eq!(&all, &set);
            prop_assert_eq!(size, set.len());
        }
        prop_assert!(compact.len() <= set.rows().len());
        // Rows come in declared order, and so do the partitions of a row.
        let place = |key: &Key| [3, 0, 4, 2, 1].iter().position(|other| other == key);
        let by_place = |key: &PartitionKey| {
            let (tuple, long) = shape.split(key);
            (tuple.iter().map(place).collect::<Vec<_>>(), place(&long))
        };
        let ordered: Vec<PartitionKey> = order.partitions(&set).collect();
        prop_assert!(ordered.is_sorted_by_key(by_place));
        prop_assert_eq!(ordered.into_iter().collect::<BTreeSet<_>>(), set.iter().collect::<BTreeSet<_>>());
    }

    #[test]
    fn a_part_of_all_combinations_is_made_without_the_others(
        (shape, p, _) in two_models(), skip in 0u64..300, n in 0u64..300,
    ) {
        let some = set_of(shape, &p);
        let sets: Vec<RangeSet> = (0..shape.dims()).map(|dim| some.keys_of(dim)).collect();
        let all = PartitionSet::full(shape, &sets);
        prop_assert_eq!(size(&sets), all.len());
        let part = all.subtract(&all.take_first(skip)).take_first(n);
        prop_assert_eq!(PartitionSet::part_of_full(shape, &sets, skip, n), part);
    }

    #[test]
    fn partition_sets_change_like_sets((shape, p, q) in two_models()) {
        let (mut set, mut model) = (PartitionSet::empty(shape), Model::new());
        for keys in p.iter().chain(&q) {
            let key = PartitionKey::new(keys.clone());
            let (tuple, long) = shape.split(&key);
            prop_assert_eq!(&shape.join(&tuple, long), &key);
            prop_assert_eq!(set.contains(&key), model.contains(keys));
            prop_assert_eq!(set.insert(&key), model.insert(keys.clone()));
        }
        for keys in &q {
            prop_assert_eq!(set.remove(&PartitionKey::new(keys.clone())), model.remove(keys));
            prop_assert_eq!(set.remove(&PartitionKey::new(keys.clone())), false);
        }
        prop_assert_eq!(model_of(&set), model);
        prop_assert!(set.rows().all(|(_, row)| !row.is_empty()));
    }
}

// --- The calendar by the calendar library ---------------------------------------------------------

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

/// What a clock shows: day and hour.
fn shown(tz: &TimeZone, at: Timestamp) -> (Date, i8) {
    let local = tz.to_datetime(at);
    (local.date(), local.hour())
}

/// The instants after `from`, up to `to`, at which a clock comes to show another hour, or shows a full hour. It is looked at
/// every `step` seconds.
fn hour_begins(tz: &TimeZone, from: Timestamp, to: Timestamp, step: i64) -> Vec<Timestamp> {
    let mut begins = Vec::new();
    let mut last = shown(tz, from);
    for second in (from.as_second()..to.as_second()).step_by(step as usize).skip(1) {
        let at = Timestamp::from_second(second).unwrap();
        let local = tz.to_datetime(at);
        let here = (local.date(), local.hour());
        if here != last || (local.minute(), local.second()) == (0, 0) {
            begins.push(at);
        }
        last = here;
    }
    begins
}

/// The hours of the year 2010, and some more, in one of the first five of [`ZONES`].
struct Hours {
    first: i64,
    begins: Vec<Timestamp>,
}

impl Hours {
    fn of(name: &str) -> &'static Hours {
        static ALL: OnceLock<BTreeMap<&str, Hours>> = OnceLock::new();
        let of = |name: &'static str| {
            let (from, to) = ("2009-12-01T00:00Z".parse().unwrap(), "2011-04-01T00:00Z".parse().unwrap());
            let begins = hour_begins(&zone(name), from, to, 900);
            // From there on they are counted.
            let space = TimeSpace::new(Granularity::Hour, 0, None, Zone::named(name).unwrap()).unwrap();
            let first = i64::from(space.extent(begins[0]).last().unwrap()) + 1;
            (name, Hours { first, begins })
        };
        &ALL.get_or_init(|| ZONES[..5].iter().map(|name| of(name)).collect())[name]
    }

    fn begin_of(&self, hour: i64) -> Timestamp {
        self.begins[usize::try_from(hour - self.first).unwrap()]
    }

    /// The hour in which an instant lies.
    fn at(&self, instant: Timestamp) -> i64 {
        self.first + self.begins.partition_point(|begin| *begin <= instant) as i64 - 1
    }
}

fn date_of(day: i64) -> Date {
    date(1, 1, 1) + day.days()
}

fn day_number(day: Date) -> i64 {
    i64::from((day - date(1, 1, 1)).get_days())
}

/// The number of the period that contains a day.
fn of_day(granularity: Granularity, day: Date) -> i64 {
    let (year, month) = (i64::from(day.year()) - 1, i64::from(day.month()) - 1);
    match granularity {
        Granularity::Hour => unreachable!("a day lies in no hour"),
        Granularity::Day => day_number(day),
        Granularity::Week => {
            let monday = day.iso_week_date().first_of_week().unwrap().date();
            i64::from(date(1, 1, 1).until((Unit::Day, monday)).unwrap().get_days()) / 7
        }
        Granularity::Month => year * 12 + month,
        Granularity::Year => year,
    }
}

/// The period of `coarse` in which a `fine` one begins, by the labels of a calendar and a clock.
fn containing(fine: Granularity, coarse: Granularity, zone: (&str, &TimeZone), key: i64) -> i64 {
    match fine {
        Granularity::Hour => of_day(coarse, shown(zone.1, Hours::of(zone.0).begin_of(key)).0),
        Granularity::Day => of_day(coarse, date_of(key)),
        Granularity::Month => key.div_euclid(12),
        _ => unreachable!("weeks and years lie in nothing"),
    }
}

#[test]
fn periods_nest_as_calendars_and_clocks_say() {
    use Granularity::{Day, Hour, Month, Week, Year};
    // Not St. John's: where clocks were set back over midnight, labels do not come in order.
    for name in &ZONES[..5] {
        let tz = zone(name);
        let hourly = TimeSpace::new(Hour, 0, None, Zone::named(name).unwrap()).unwrap();
        let daily = TimeSpace::new(Day, 0, None, Zone::named(name).unwrap()).unwrap();
        let begin = |day: Date| Hours::of(name).at(day.to_zoned_datetime(tz.clone()).unwrap().timestamp());
        let (first_day, last_day) = (date(2009, 12, 20), date(2011, 1, 12));
        let (from, to) = (begin(first_day), begin(last_day));
        let mut seen: BTreeMap<(Granularity, i64), (i64, i64)> = BTreeMap::new();
        for hour in from..to {
            for coarse in [Day, Week, Month, Year] {
                let period = containing(Hour, coarse, (name, &tz), hour);
                assert_eq!(
                    i64::from(hourly.containing(coarse, hour as Key)),
                    period,
                    "{name} {coarse} {hour}"
                );
                seen.entry((coarse, period)).or_insert((hour, hour)).1 = hour;
            }
        }
        for ((coarse, period), (first, last)) in seen {
            let whole = first > from && last < to - 1;
            let (lo, hi) = hourly.within(coarse, period as Key).unwrap();
            if whole {
                assert_eq!((i64::from(lo), i64::from(hi)), (first, last), "{name} {coarse} {period}");
            }
        }
        for day in day_number(first_day)..day_number(last_day) {
            for coarse in [Week, Month, Year] {
                let period = containing(Day, coarse, (name, &tz), day) as Key;
                assert_eq!(daily.containing(coarse, day as Key), period);
                let (lo, hi) = daily.within(coarse, period).unwrap();
                assert!((lo..=hi).contains(&(day as Key)));
                assert_ne!(daily.containing(coarse, lo - 1), period);
                assert_ne!(daily.containing(coarse, hi + 1), period);
            }
        }
    }
}

/// Each time that any zone set its clock since 1970, second by second or nearly so. Of what is alike, only some, unless
/// `ALL_ZONES` is set.
#[test]
fn hours_are_what_clocks_show_in_all_zones() {
    use Granularity::{Day, Hour};
    let all = std::env::var_os("ALL_ZONES").is_some();
    let (since, until): (Timestamp, Timestamp) =
        ("1970-01-01T00:00Z".parse().unwrap(), "2040-01-01T00:00Z".parse().unwrap());
    let three_hours = jiff::SignedDuration::from_hours(3);
    let mut known = BTreeSet::new();
    let mut looked_at = 0;
    for name in TimeZoneDatabase::bundled().available() {
        let own = Zone::named(name.as_str()).unwrap();
        if !known.insert(own.clone()) {
            continue;
        }
        let tz = zone(name.as_str());
        let hourly = TimeSpace::new(Hour, 0, None, own.clone()).unwrap();
        let daily = TimeSpace::new(Day, 0, None, own).unwrap();
        let running = |at: Timestamp| hourly.extent(at).last().unwrap() + 1;
        let mut usual = 0;
        for set in tz.following(since).take_while(|set| set.timestamp() < until) {
            let at = set.timestamp();
            let before = tz.to_offset(at - jiff::SignedDuration::from_secs(1)).seconds();
            let by = set.offset().seconds() - before;
            let local = tz.to_datetime(at);
            if by % 3600 == 0 && (local.minute(), local.second()) == (0, 0) {
                usual += 1;
                if !all && usual % 16 != 1 {
                    continue;
                }
            }
            looked_at += 1;
            // Labels that come twice are all seen.
            let around = three_hours + jiff::SignedDuration::from_secs(i64::from(-by.min(0)));
            let begins = hour_begins(&tz, at - around, at + around, 30);
            let first = shown(&tz, at - around);
            let labels: Vec<(Date, i8)> =
                [first].into_iter().chain(begins.iter().map(|begin| shown(&tz, *begin))).collect();
            let mut day = first.0;
            for pair in begins.windows(2) {
                let (begin, end) = (pair[0], pair[1]);
                let hour = running(begin);
                let place = format!("{} {begin}", name.as_str());
                assert_eq!(running(end), hour + 1, "{place}");
                assert_eq!(running(end - jiff::SignedDuration::from_secs(1)), hour, "{place}");
                assert_eq!(hourly.ends_at(hour), Some(end), "{place}");
                let label = shown(&tz, begin);
                let text = hourly.format_key(hour);
                let written = format!("{}T{:02}", label.0, label.1);
                let alone = labels.iter().filter(|other| **other == label).count() == 1;
                assert!(text.starts_with(&written) && alone == (text == written), "{place}: {text}");
                assert_eq!(hourly.parse_key(&text), Ok(hour), "{place}: {text}");
                // Days follow each other, also where a clock shows the day before once more.
                day = day.max(label.0);
                let of = hourly.containing(Day, hour);
                assert_eq!(daily.format_key(of), day.to_string(), "{place}");
                let (lo, hi) = hourly.within(Day, of).unwrap();
                assert!((lo..=hi).contains(&hour), "{place}");
                assert_eq!(
                    [lo - 1, hi + 1].map(|other| hourly.containing(Day, other)),
                    [of - 1, of + 1],
                    "{place}"
                );
            }
        }
    }
    assert!(looked_at > 500, "{looked_at}");
}

/// The begin of the period after the one that contains `at`.
fn next_begin(granularity: Granularity, at: &ZonedDateTime) -> ZonedDateTime {
    let today = at.date();
    let next = match granularity {
        Granularity::Hour => {
            let from = Timestamp::from_second(at.timestamp().as_second().div_euclid(900) * 900).unwrap();
            let to = from + jiff::SignedDuration::from_hours(3);
            return hour_begins(at.time_zone(), from, to, 900)[0].to_zoned_datetime(at.time_zone().clone());
        }
        Granularity::Day => today + 1.day(),
        Granularity::Week => today.iso_week_date().first_of_week().unwrap().date() + 7.days(),
        Granularity::Month => today.first_of_month() + 1.month(),
        Granularity::Year => today.first_of_year() + 1.year(),
    };
    next.to_zoned_datetime(at.time_zone().clone()).unwrap()
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn keys_exist_from_the_end_of_their_period_on(
        seconds in 1_200_000_000i64..1_400_000_000, near in any::<bool>(), name in 0usize..5, kind in 0usize..5,
    ) {
        use Granularity::{Day, Hour, Month, Week, Year};
        let granularity = [Hour, Day, Week, Month, Year][kind];
        let tz = zone(ZONES[name]);
        let space = TimeSpace::new(granularity, 0, None, Zone::named(ZONES[name]).unwrap()).unwrap();
        let mut at = Timestamp::from_second(seconds).unwrap();
        if near {
            // The last second before a period ends, or the first after it.
            let turn = next_begin(granularity, &at.to_zoned_datetime(tz.clone())).timestamp();
            at = turn - jiff::SignedDuration::from_secs(seconds % 2);
        }
        let running = i64::from(space.extent(at).last().unwrap()) + 1;
        if granularity != Hour {
            prop_assert_eq!(running, of_day(granularity, at.to_zoned_datetime(tz.clone()).date()));
        }
        let ends = next_begin(granularity, &at.to_zoned_datetime(tz)).timestamp();
        prop_assert_eq!(space.ends_at(running as Key), Some(ends));
    }

    #[test]
    fn keys_come_when_they_are_foretold_and_not_before(
        choices in choices(), offset in -400_000i64..40_000_000, nanos in 0i32..2, name in 0..ZONES.len(), kind in 0usize..5,
    ) {
        use Granularity::{Day, Hour, Month, Week, Year};
        let c = &mut Choices(choices.iter());
        let (year, month, day) = c.pick(&ANCHORS);
        let anchor = date(year, month, day);
        let space = time_space(c, [Hour, Day, Week, Month, Year][kind], ZONES[name], anchor, 60, true);
        let space = space.time().unwrap();
        let midnight = anchor.to_zoned_datetime(zone(ZONES[name])).unwrap().timestamp();
        // Long before the space begins, about the setting of a clock, and long after the space has ended.
        let mut at = match c.below(8) {
            0 => c.pick(&[Timestamp::MIN, Timestamp::MAX, "0000-12-31T23:59:59Z".parse().unwrap()]),
            _ => midnight + jiff::SignedDuration::new(offset / c.pick(&[1, 100, 1_000]), nanos),
        };
        for _ in 0..5 {
            let Some(next) = space.grows_at(at) else {
                prop_assert_eq!(space.extent(Timestamp::MAX), space.extent(at));
                break;
            };
            prop_assert!(next > at);
            prop_assert_eq!(space.extent(next - jiff::SignedDuration::from_nanos(1)), space.extent(at));
            prop_assert_eq!(space.extent(next).len(), space.extent(at).len() + 1);
            at = next;
        }
    }
}

// --- Mappings -------------------------------------------------------------------------------------

/// Two datasets and a mapping between them, read at one instant.
struct Scenario {
    zone: &'static str,
    tz: TimeZone,
    out_spaces: Vec<KeySpace>,
    in_spaces: Vec<KeySpace>,
    mapping: Mapping,
    as_of: Timestamp,
    /// What [`Scenario::needs`] said before; it is asked at one instant only.
    known: RefCell<BTreeMap<(usize, Key), Needs>>,
}

/// Existing input keys that an output key needs in one dimension, whether it needs some before the start,
/// and whether it needs some after the end.
type Needs = (Vec<Key>, bool, bool);

/// Days on which the zones of [`ZONES`] set their clocks, and ends of years.
const ANCHORS: [(i16, i8, i8); 5] =
    [(2010, 3, 14), (2010, 10, 31), (2010, 4, 4), (2010, 1, 1), (2010, 11, 7)];

fn time_space(
    c: &mut Choices,
    granularity: Granularity,
    name: &str,
    anchor: Date,
    most: u32,
    open: bool,
) -> KeySpace {
    let middle = match granularity {
        Granularity::Hour => {
            let space = TimeSpace::new(granularity, 0, None, Zone::named(name).unwrap()).unwrap();
            let midnight = anchor.to_zoned_datetime(zone(name)).unwrap().timestamp();
            space.extent(midnight).last().map_or(0, |last| i64::from(last) + 1)
        }
        other => of_day(other, anchor),
    };
    let length = 1 + c.below(match granularity {
        Granularity::Hour => most,
        Granularity::Day => most.min(40),
        _ => most.min(5),
    });
    let start = (middle - i64::from(c.below(length + 2))) as Key;
    let end = (!open || !c.chance(3)).then(|| start + length - 1);
    KeySpace::Time(TimeSpace::new(granularity, start, end, Zone::named(name).unwrap()).unwrap())
}

fn static_space(c: &mut Choices) -> KeySpace {
    let bits = 1 + c.below(15);
    let mut keys: Vec<Key> = (0..4).filter(|key| bits & (1 << key) != 0).collect();
    if c.chance(2) {
        keys.reverse();
    }
    KeySpace::of_static(keys)
}

impl Scenario {
    /// Any scenario; without open spaces unless `open`.
    fn new(c: &mut Choices, open: bool) -> Scenario {
        use Granularity::{Day, Hour, Month, Week, Year};
        let all = [Hour, Day, Week, Month, Year];
        let name = c.pick(&ZONES[..5]);
        let (year, month, day) = c.pick(&ANCHORS);
        let anchor = date(year, month, day);
        let out_spaces: Vec<KeySpace> = (0..c.pick(&[1, 1, 1, 2, 2, 3, 0]))
            .map(|dim| {
                if c.chance(3) {
                    return static_space(c);
                }
                let granularity = c.pick(&all);
                time_space(c, granularity, name, anchor, if dim == 0 { 60 } else { 4 }, open)
            })
            .collect();
        let mut in_spaces = Vec::new();
        let mut rules = Vec::new();
        for _ in 0..c.pick(&[1, 1, 2, 2, 2, 3, 0]) {
            let of =
                if out_spaces.is_empty() { None } else { Some(c.below(out_spaces.len() as u32) as usize) };
            let most = if in_spaces.is_empty() { 60 } else { 12 };
            let (space, rule) = match of.map(|of| (of, &out_spaces[of])) {
                Some((of, KeySpace::Static(..))) if !c.chance(4) => (static_space(c), DimRule::Same { of }),
                Some((of, KeySpace::Time(output))) if !c.chance(4) => {
                    let same = output.granularity();
                    let finer: Vec<_> = all.into_iter().filter(|g| g.nests_in(same)).collect();
                    let coarser: Vec<_> = all.into_iter().filter(|g| same.nests_in(*g)).collect();
                    let (granularity, rule) = match c.below(6) {
                        1 => (same, DimRule::Window { of, count: 1 + c.below(5) }),
                        2 => (same, DimRule::Offset { of, by: c.below(7) as i32 - 3 }),
                        3 if !finer.is_empty() => (c.pick(&finer), DimRule::Rollup { of }),
                        4 | 5 if !coarser.is_empty() => (c.pick(&coarser), DimRule::Fanout { of }),
                        _ => (same, DimRule::Same { of }),
                    };
                    (time_space(c, granularity, name, anchor, most, open), rule)
                }
                _ => {
                    let space = if c.chance(2) {
                        static_space(c)
                    } else {
                        let granularity = c.pick(&all);
                        time_space(c, granularity, name, anchor, most, open)
                    };
                    let rule = match c.below(3) {
                        0 => DimRule::All,
                        1 => DimRule::Latest { count: 1 + c.below(3) },
                        _ => {
                            let some = space.bounds(&Symbols::new()).take_first(6);
                            let key = some.iter().nth(c.below(some.len() as u32) as usize).unwrap();
                            let more = some.iter().filter(|_| c.chance(3));
                            DimRule::Only([key].into_iter().chain(more).collect())
                        }
                    };
                    (space, rule)
                }
            };
            in_spaces.push(space);
            rules.push(rule);
        }
        let edges = [Edge::Clip, Edge::Clip, Edge::Fail, Edge::Skip];
        let mapping = Mapping { rules, before_start: c.pick(&edges), after_end: c.pick(&edges) };
        let tz = zone(name);
        // Midnights are more interesting than other instants, and much has to exist.
        let hours = match c.below(3) {
            0 => i64::from(c.below(200)) - 60,
            1 => i64::from(c.below(20)) * 24 - 120,
            _ => i64::from(c.below(2_000)),
        };
        let as_of = anchor.to_zoned_datetime(tz.clone()).unwrap().timestamp()
            + jiff::SignedDuration::from_hours(hours);
        Scenario { zone: name, tz, out_spaces, in_spaces, mapping, as_of, known: RefCell::default() }
    }

    fn extents(spaces: &[KeySpace], as_of: Timestamp) -> Vec<RangeSet> {
        spaces.iter().map(|space| space.extent(as_of, &Symbols::new())).collect()
    }

    fn with_sides<R>(&self, as_of: Timestamp, then: impl FnOnce(&Side, &Side) -> R) -> R {
        let out_extents = Scenario::extents(&self.out_spaces, as_of);
        let in_extents = Scenario::extents(&self.in_spaces, as_of);
        let out =
            Side { shape: Shape::of(&self.out_spaces), spaces: &self.out_spaces, extents: &out_extents };
        let input = Side { shape: Shape::of(&self.in_spaces), spaces: &self.in_spaces, extents: &in_extents };
        then(&out, &input)
    }

    /// A random set: a few random boxes out of `sets`, mostly small, so that a key too many or too few
    /// shows.
    fn some(c: &mut Choices, shape: Shape, sets: &[RangeSet]) -> PartitionSet {
        let mut all = PartitionSet::empty(shape);
        for _ in 0..=c.below(2) {
            let parts: Vec<RangeSet> = sets
                .iter()
                .map(|keys| {
                    let len = u32::try_from(keys.len()).unwrap();
                    let skip = keys.take_first(u64::from(c.below(len.max(1))));
                    let most = c.pick(&[1, 2, 4, 20]);
                    keys.subtract(&skip).take_first(u64::from(1 + c.below(most)))
                })
                .collect();
            all.union_with(&PartitionSet::full(shape, &parts));
        }
        all
    }

    /// What an output key needs in one input dimension.
    fn needs(&self, dim: usize, extent: &RangeSet, output: &[Key]) -> Needs {
        let key = self.mapping.rules[dim].of().map_or(0, |of| output[of]);
        let mut known = self.known.borrow_mut();
        known.entry((dim, key)).or_insert_with(|| self.enumerate(dim, extent, i64::from(key))).clone()
    }

    /// The same, key by key.
    fn enumerate(&self, dim: usize, extent: &RangeSet, key: i64) -> Needs {
        let rule = &self.mapping.rules[dim];
        let input = &self.in_spaces[dim];
        let KeySpace::Time(space) = input else {
            let needed: Vec<Key> = match rule {
                DimRule::Same { .. } => vec![key as Key],
                DimRule::Only(keys) => keys.iter().collect(),
                DimRule::Latest { count } => {
                    let all: Vec<Key> = extent.iter().collect();
                    all[all.len().saturating_sub(*count as usize)..].to_vec()
                }
                _ => extent.iter().collect(),
            };
            let there = needed.iter().copied().filter(|key| extent.contains(*key)).collect();
            return (there, false, needed.iter().any(|key| !extent.contains(*key)));
        };
        let start = i64::from(space.start());
        let exists = |key: i64| Key::try_from(key).is_ok_and(|key| extent.contains(key));
        let judge = |keys: Vec<i64>| {
            let before = keys.iter().any(|key| *key < start);
            let after = keys.iter().any(|key| *key >= start && !exists(*key));
            let there: BTreeSet<Key> =
                keys.into_iter().filter(|key| exists(*key)).map(|key| key as Key).collect();
            (there.into_iter().collect(), before, after)
        };
        let output_space = rule.of().and_then(|of| self.out_spaces[of].time());
        match (rule, output_space) {
            (DimRule::Window { count, .. }, _) => {
                judge((0..i64::from(*count)).map(|back| key - back).collect())
            }
            (DimRule::Offset { by, .. }, _) => judge(vec![key + i64::from(*by)]),
            (DimRule::Same { .. }, _) => judge(vec![key]),
            (DimRule::Fanout { .. }, Some(output)) => {
                judge(vec![containing(output.granularity(), space.granularity(), (self.zone, &self.tz), key)])
            }
            (DimRule::Rollup { .. }, Some(output)) => {
                let zone = (self.zone, &self.tz);
                let of = |fine: i64| containing(space.granularity(), output.granularity(), zone, fine);
                // Enumerating a year's hours would be slow; what lies outside is judged by the first
                // key there, as periods follow each other without gaps.
                let last = extent.last().map_or(start - 1, i64::from);
                let there = extent.iter().filter(|fine| of(i64::from(*fine)) == key).collect();
                (there, key <= of(start - 1), key >= of(last + 1))
            }
            (DimRule::Only(keys), _) => judge(keys.iter().map(i64::from).collect()),
            (DimRule::Latest { count }, _) => {
                judge(extent.iter().rev().take(*count as usize).map(i64::from).collect())
            }
            _ => judge(extent.iter().map(i64::from).collect()),
        }
    }

    /// What one output partition needs, as a set of keys for each dimension; or the edge rule by which it
    /// is not made.
    fn needs_all(&self, in_extents: &[RangeSet], output: &[Key]) -> Result<Vec<Vec<Key>>, Edge> {
        let mut sets = Vec::new();
        let mut edges = Vec::new();
        for (dim, extent) in in_extents.iter().enumerate() {
            let (keys, before, after) = self.needs(dim, extent, output);
            edges.extend(before.then_some(self.mapping.before_start));
            edges.extend(after.then_some(self.mapping.after_end));
            sets.push(keys);
        }
        match edges {
            edges if edges.contains(&Edge::Fail) => Err(Edge::Fail),
            edges if edges.contains(&Edge::Skip) => Err(Edge::Skip),
            _ => Ok(sets),
        }
    }
}

fn far_future() -> Timestamp {
    "2040-01-01T00:00Z".parse().unwrap()
}

proptest! {
    #![proptest_config(config(4))]

    #[test]
    fn mappings_do_what_nested_loops_do(numbers in choices()) {
        let c = &mut Choices(numbers.iter());
        let s = Scenario::new(c, true);
        s.with_sides(s.as_of, |out, input| {
            // The oracle looks at each output with each input.
            prop_assume!(size(out.extents).saturating_mul(size(input.extents)) <= 2_000_000);
            let wanted = Scenario::some(c, out.shape, out.extents);
            // Also partitions that do not exist yet may be in a set that changed.
            let later: Vec<RangeSet> =
                Scenario::extents(&s.in_spaces, far_future()).iter().map(|set| set.take_first(70)).collect();
            let changed = Scenario::some(c, input.shape, &later);
            let inputs = s.mapping.inputs_of(out, input, &wanted).unwrap();
            let (mut needed, mut failing, mut skipped) = (Model::new(), Model::new(), Model::new());
            for (nth, key) in wanted.iter().enumerate() {
                let one = s.mapping.inputs_of_one(out, input, &key).unwrap();
                if nth < 5 {
                    let single = PartitionSet::single(out.shape, &key);
                    prop_assert_eq!(&one, &s.mapping.inputs_of(out, input, &single).unwrap());
                }
                match s.needs_all(input.extents, key.keys()) {
                    Ok(sets) => {
                        let keys = product(&sets);
                        prop_assert_eq!(&model_of(&one.needed), &keys);
                        needed.extend(keys);
                    }
                    Err(Edge::Fail) => _ = failing.insert(key.keys().to_vec()),
                    Err(_) => _ = skipped.insert(key.keys().to_vec()),
                }
            }
            prop_assert_eq!(model_of(&inputs.needed), needed);
            prop_assert_eq!(model_of(&inputs.failing), failing);
            prop_assert_eq!(model_of(&inputs.skipped), skipped);

            let changed_keys: Vec<Vec<Key>> = model_of(&changed).into_iter().collect();
            let read = s.mapping.inputs_among(out, input, &wanted, &changed);
            prop_assert_eq!(read, inputs.needed.intersect(&changed));
            let every = PartitionSet::full(out.shape, out.extents);
            let dependents: Model = every
                .iter()
                .map(|key| key.keys().to_vec())
                .filter(|key| {
                    let needs_one = |sets: Vec<Vec<Key>>| {
                        // Sets are in order.
                        let needs = |keys: &Vec<Key>| {
                            keys.iter().zip(&sets).all(|(key, set)| set.binary_search(key).is_ok())
                        };
                        changed_keys.iter().any(needs)
                    };
                    s.needs_all(input.extents, key).is_ok_and(needs_one)
                })
                .collect();
            let found = s.mapping.dependents_of(out, input, &changed, &every);
            prop_assert_eq!(s.mapping.dependents_of(out, input, &changed, &wanted), found.intersect(&wanted));
            prop_assert_eq!(model_of(&found), dependents);
            Ok(())
        })?;
    }

    /// Validation finds a hole exactly when some output fails although every period has ended.
    #[test]
    fn holes_are_found_before_anything_fails(numbers in choices()) {
        let c = &mut Choices(numbers.iter());
        // Open spaces never end; "nothing fails in 2040" is then no statement about all time.
        let s = Scenario::new(c, false);
        let problems = s.mapping.validate(&s.out_spaces, &s.in_spaces);
        s.with_sides(far_future(), |out, input| {
            let all = PartitionSet::full(out.shape, out.extents);
            let failing = s.mapping.over_edges(out, input, &all).0;
            prop_assert_eq!(problems.is_empty(), failing.is_empty(), "{:?}", &problems);
            for problem in problems {
                let MappingProblem::Hole { dim, of, output, missing, side } = problem else {
                    return Err(TestCaseError::fail(format!("{problem:?}")));
                };
                // The named output is the first that needs a key over that edge, the missing key is the
                // first such key, and it really is not there.
                let over = |key: &Key| {
                    let mut partition = vec![0; s.out_spaces.len()];
                    partition[of] = *key;
                    let (_, before, after) = s.needs(dim, &input.extents[dim], &partition);
                    if side == HoleSide::BeforeStart { before } else { after }
                };
                prop_assert_eq!(out.extents[of].iter().find(over), Some(output));
                prop_assert!(!input.extents[dim].contains(missing));
                if let Some(space) = s.in_spaces[dim].time() {
                    prop_assert_eq!(missing < space.start(), side == HoleSide::BeforeStart);
                }
                prop_assert!(failing.keys_of(of).contains(output));
            }
            Ok(())
        })?;
    }

    /// Where a mapping does not depend on time, what could be made once needs the same ever after.
    #[test]
    fn time_changes_only_what_depends_on_time(numbers in choices(), hours in 1i64..2000) {
        let c = &mut Choices(numbers.iter());
        let s = Scenario::new(c, true);
        prop_assume!(!s.mapping.is_time_dependent(&s.in_spaces));
        let later = s.as_of + jiff::SignedDuration::from_hours(hours);
        let before = s.with_sides(s.as_of, |out, input| {
            // Two or three open dimensions of hours have millions of partitions.
            const MOST: u64 = 300;
            let some = if size(out.extents) <= MOST {
                PartitionSet::full(out.shape, out.extents)
            } else {
                Scenario::some(c, out.shape, out.extents).take_first(MOST)
            };
            some.iter().map(|key| (key.clone(), s.mapping.inputs_of_one(out, input, &key).unwrap())).collect::<Vec<_>>()
        });
        s.with_sides(later, |out, input| {
            for (key, then) in before.into_iter().filter(|(_, then)| then.failing.is_empty() && then.skipped.is_empty()) {
                prop_assert_eq!(s.mapping.inputs_of_one(out, input, &key).unwrap(), then);
            }
            Ok(())
        })?;
    }
}

// --- References -----------------------------------------------------------------------------------

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn references_read_back_as_the_same_set(numbers in choices()) {
        let c = &mut Choices(numbers.iter());
        let mut symbols = Symbols::new();
        ["eu", "us", "asia-2", "2010-01-01"].iter().for_each(|text| _ = symbols.intern(text));
        let name = c.pick(&ZONES);
        let (year, month, day) = c.pick(&ANCHORS);
        let names = ["region", "date", "x", "slot"];
        let spaces: Vec<KeySpace> = (0..c.below(5))
            .map(|_| match c.below(6) {
                5 => static_space(c),
                kind => {
                    use Granularity::{Day, Hour, Month, Week, Year};
                    let granularity = [Hour, Day, Week, Month, Year][kind as usize];
                    time_space(c, granularity, name, date(year, month, day), 12, true)
                }
            })
            .collect();
        let dims: Vec<(&str, &KeySpace)> = names.into_iter().zip(&spaces).collect();
        let dim_names = &names[..spaces.len()];
        let extents: Vec<RangeSet> = Scenario::extents(&spaces, far_future()).iter().map(|set| set.take_first(30)).collect();
        let shape = Shape::of(&spaces);
        let all = PartitionSet::full(shape, &extents);
        // Any subset, not only boxes.
        let set: PartitionSet = all.iter().take(500).filter(|_| c.chance(3)).fold(PartitionSet::empty(shape), |mut set, key| {
            set.insert(&key);
            set
        });
        let resolve = |text: &str| {
            let text = ReferenceText::parse(text).unwrap();
            assert_eq!(text.dataset, "sales/orders");
            reference::resolve(&text, &dims, &symbols, far_future()).unwrap()
        };
        let mut read = PartitionSet::empty(shape);
        for text in reference::format_set("sales/orders", dim_names, &spaces, &set, &symbols) {
            let part = resolve(&text);
            prop_assert!(!part.intersects(&read), "{} means something twice", text);
            read.union_with(&part);
        }
        prop_assert_eq!(&read, &set);
        for key in set.iter() {
            let text = reference::format_partition("sales/orders", dim_names, &spaces, &key, &symbols);
            prop_assert_eq!(resolve(&text), PartitionSet::single(shape, &key));
        }
    }
}

// --- Relative keys --------------------------------------------------------------------------------

proptest! {
    #![proptest_config(config(4))]

    /// Against a list of all keys whose periods have ended, counted from its end.
    #[test]
    fn relative_keys_are_those_that_a_list_has_so_far_from_its_end(numbers in choices()) {
        use Granularity::{Day, Hour, Month, Week, Year};
        let c = &mut Choices(numbers.iter());
        let symbols = Symbols::new();
        let (year, month, day) = c.pick(&ANCHORS);
        let granularity = c.pick(&[Hour, Hour, Day, Day, Week, Month, Year]);
        let name = c.pick(&ZONES);
        let space = time_space(c, granularity, name, date(year, month, day), 50, true);
        let KeySpace::Time(time) = &space else { unreachable!("it was made so") };
        // From somewhat before the first key on, at any part of a second.
        let first = time.ends_at(time.start()).unwrap();
        let longest = match granularity { Hour => 60, Day => 60 * 24, Week => 10 * 7 * 24, Month => 10 * 31 * 24, Year => 87_600 };
        let seconds = i64::from(c.below(longest * 3_600)) - i64::from(c.below(7_200));
        let as_of = first + jiff::SignedDuration::new(seconds, c.below(2) as i32 * 999_999_999);
        let in_space = |key: &Key| time.end().is_none_or(|end| *key <= end);
        let exist: Vec<Key> = (time.start()..)
            .take_while(|key| in_space(key) && time.ends_at(*key).is_some_and(|end| end <= as_of))
            .collect();
        let extent = space.extent(as_of, &symbols);
        let meant = |text: &str| NamedKeys::parse(&space, text, &symbols).unwrap().at(&extent);
        let (one, other) = (c.below(60) as usize, c.below(60) as usize);
        let from_end = |back: usize| exist.len().checked_sub(back + 1).map(|at| exist[at]);
        if exist.is_empty() {
            // That key has not ended, which whoever resolves it tells.
            prop_assert_eq!(meant("latest"), Ok(RangeSet::single(time.start())));
        } else {
            prop_assert_eq!(meant("latest"), Ok(RangeSet::single(*exist.last().unwrap())));
            let found = meant(&format!("latest-{one}"));
            match from_end(one) {
                Some(key) => prop_assert_eq!(found, Ok(RangeSet::single(key))),
                None => prop_assert_eq!(found.unwrap_err().code(), "before_first_key"),
            }
            let found = meant(&format!("latest-{one}..latest-{other}"));
            match (from_end(one), from_end(other)) {
                (Some(lo), Some(hi)) if lo <= hi => {
                    let between = exist.iter().copied().filter(|key| (lo..=hi).contains(key));
                    prop_assert_eq!(found, Ok(between.collect()));
                }
                (Some(_), Some(_)) => prop_assert_eq!(found.unwrap_err().code(), "empty_range"),
                _ => prop_assert_eq!(found.unwrap_err().code(), "before_first_key"),
            }
            // Written out, it means the same at any other instant.
            let dims = [("date", &space)];
            let text = ReferenceText::parse(&format!("d/date=..latest-{other}+latest")).unwrap();
            if let Ok(exact) = reference::exact(text.clone(), &dims, &symbols, as_of) {
                let set = reference::resolve(&text, &dims, &symbols, as_of).unwrap();
                let later = as_of + jiff::SignedDuration::from_hours(i64::from(c.below(100_000)));
                prop_assert_eq!(reference::resolve(&exact, &dims, &symbols, later), Ok(set));
            }
        }
    }
}
