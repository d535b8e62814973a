//! Tables of declarations with the keys that follow from them, written as people write them.

use super::*;
use crate::keys::KeySpace;
use crate::named_keys::NamedKeys;
use crate::partition_set::{PartitionSet, Shape};
use crate::range_set::{Key, RangeSet};
use crate::symbols::Symbols;
use crate::time::{Granularity, TimeSpace};
use jiff::Timestamp;

fn time(granularity: Granularity, start: &str, end: Option<&str>, zone: &str) -> KeySpace {
    KeySpace::Time(TimeSpace::parse(granularity, start, end, zone).unwrap())
}

fn days(start: &str, end: Option<&str>) -> KeySpace {
    time(Granularity::Day, start, end, "UTC")
}

/// Applies a one-dimensional mapping to a set, written as text. The answer is what is needed, what fails
/// and what is skipped.
#[track_caller]
fn needed(mapping: &Mapping, out: &KeySpace, input: &KeySpace, as_of: &str, set: &str) -> [String; 3] {
    let (symbols, as_of): (Symbols, Timestamp) = (Symbols::new(), as_of.parse().unwrap());
    let (out, input) = (std::slice::from_ref(out), std::slice::from_ref(input));
    let extents =
        |spaces: &[KeySpace]| spaces.iter().map(|space| space.extent(as_of, &symbols)).collect::<Vec<_>>();
    let (out_extents, in_extents) = (extents(out), extents(input));
    let shape = Shape::of(out);
    let set = NamedKeys::parse(&out[0], set, &symbols).unwrap().at(&out[0].bounds(&symbols)).unwrap();
    let set = PartitionSet::full(shape, &[set]);
    let inputs = mapping
        .inputs_of(
            &Side { shape, spaces: out, extents: &out_extents },
            &Side { shape: Shape::of(input), spaces: input, extents: &in_extents },
            &set,
        )
        .unwrap();
    [
        input[0].format_set(&inputs.needed.keys_of(0), &symbols),
        out[0].format_set(&inputs.failing.keys_of(0), &symbols),
        out[0].format_set(&inputs.skipped.keys_of(0), &symbols),
    ]
}

fn with_edges(rule: DimRule, before_start: Edge, after_end: Edge) -> Mapping {
    Mapping { rules: vec![rule], before_start, after_end }
}

const LATER: &str = "2020-01-01T00:00Z";

#[test]
fn a_window_at_the_start_follows_the_edge_rule() {
    let space = days("2010-01-01", Some("2010-12-31"));
    let window = |edge| with_edges(DimRule::Window { of: 0, count: 7 }, edge, Edge::Fail);
    let set = "2010-01-05..2010-01-08";
    for (edge, expected) in [
        (Edge::Clip, ["2010-01-01..2010-01-08", "", ""]),
        (Edge::Fail, ["2010-01-01..2010-01-08", "2010-01-05..2010-01-06", ""]),
        (Edge::Skip, ["2010-01-01..2010-01-08", "", "2010-01-05..2010-01-06"]),
    ] {
        assert_eq!(needed(&window(edge), &space, &space, LATER, set), expected, "{edge:?}");
    }
    let hole = |edge| window(edge).validate(std::slice::from_ref(&space), std::slice::from_ref(&space));
    assert_eq!(hole(Edge::Clip), []);
    let symbols = Symbols::new();
    let key = |text| days("2000-01-01", None).parse_key(text, &symbols).unwrap();
    assert_eq!(
        hole(Edge::Fail),
        [MappingProblem::Hole {
            dim: 0,
            of: 0,
            output: key("2010-01-01"),
            missing: key("2009-12-26"),
            side: HoleSide::BeforeStart
        }]
    );
}

#[test]
fn calendars_roll_up_and_fan_out() {
    let ny = "America/New_York";
    let hours = time(Granularity::Hour, "2010-01-01T00", None, ny);
    let daily = time(Granularity::Day, "2010-01-01", None, ny);
    let months = time(Granularity::Month, "2010-01", None, ny);
    let years = time(Granularity::Year, "2010", None, ny);
    let weeks = time(Granularity::Week, "2010-W01", None, ny);
    let rollup = with_edges(DimRule::Rollup { of: 0 }, Edge::Fail, Edge::Fail);
    let fanout = with_edges(DimRule::Fanout { of: 0 }, Edge::Fail, Edge::Fail);
    for (mapping, out, input, set, expected) in [
        (&rollup, &months, &daily, "2010-02", "2010-02-01..2010-02-28"),
        (&rollup, &daily, &hours, "2010-03-14", "2010-03-14T00..2010-03-14T23"),
        (&rollup, &years, &months, "2010+2012", "2010-01..2010-12+2012-01..2012-12"),
        (&rollup, &weeks, &daily, "2010-W52", "2010-12-27..2011-01-02"),
        (&fanout, &hours, &daily, "2010-11-07T01-05:00..2010-11-08T00", "2010-11-07..2010-11-08"),
        (&fanout, &daily, &months, "2010-01-31..2010-02-01", "2010-01..2010-02"),
        (&fanout, &daily, &weeks, "2011-01-02", "2010-W52"),
    ] {
        assert_eq!(needed(mapping, out, input, LATER, set), [expected, "", ""], "{set}");
    }
}

#[test]
fn what_has_not_ended_is_after_the_end() {
    let (daily, months) = (days("2010-01-01", None), time(Granularity::Month, "2010-01", None, "UTC"));
    let fanout = |edge| with_edges(DimRule::Fanout { of: 0 }, Edge::Fail, edge);
    let as_of = "2010-02-03T00:00Z";
    let set = "2010-01-31..2010-02-02";
    assert_eq!(needed(&fanout(Edge::Clip), &daily, &months, as_of, set), ["2010-01", "", ""]);
    assert_eq!(
        needed(&fanout(Edge::Fail), &daily, &months, as_of, set),
        ["2010-01", "2010-02-01..2010-02-02", ""]
    );
    assert_eq!(
        needed(&fanout(Edge::Skip), &daily, &months, as_of, set),
        ["2010-01", "", "2010-02-01..2010-02-02"]
    );
    let latest = with_edges(DimRule::Latest { count: 2 }, Edge::Fail, Edge::Fail);
    assert_eq!(needed(&latest, &daily, &daily, as_of, "2010-01-01"), ["2010-02-01..2010-02-02", "", ""]);
    let all = with_edges(DimRule::All, Edge::Fail, Edge::Fail);
    assert_eq!(needed(&all, &daily, &months, as_of, "2010-01-01"), ["2010-01", "", ""]);
}

#[test]
fn rules_that_do_not_fit_are_refused() {
    use Granularity::{Day, Hour, Month, Week};
    let listed = KeySpace::of_static(vec![0, 1]);
    let day = days("2010-01-01", None);
    let zoned = |granularity, start| time(granularity, start, None, "Asia/Kolkata");
    let problems = |rule, out: &KeySpace, input: &KeySpace| {
        let problems = with_edges(rule, Edge::Clip, Edge::Clip)
            .validate(std::slice::from_ref(out), std::slice::from_ref(input));
        problems.iter().map(MappingProblem::code).collect::<Vec<_>>()
    };
    let hour = time(Hour, "2010-01-01T00", None, "UTC");
    let (week, month) = (time(Week, "2010-W01", None, "UTC"), time(Month, "2010-01", None, "UTC"));
    let outside = DimRule::Only(RangeSet::range(1, 2));
    for (rule, out, input, code) in [
        (DimRule::Same { of: 0 }, &listed, &day, "granularity_mismatch"),
        (DimRule::Same { of: 0 }, &day, &hour, "granularity_mismatch"),
        (DimRule::Same { of: 0 }, &day, &zoned(Day, "2010-01-01"), "timezone_mismatch"),
        (DimRule::Rollup { of: 0 }, &month, &zoned(Day, "2010-01-01"), "timezone_mismatch"),
        (DimRule::Rollup { of: 0 }, &month, &week, "granularity_mismatch"),
        (DimRule::Rollup { of: 0 }, &hour, &day, "granularity_mismatch"),
        (DimRule::Fanout { of: 0 }, &month, &day, "granularity_mismatch"),
        (DimRule::Window { of: 0, count: 2 }, &listed, &listed, "granularity_mismatch"),
        (DimRule::Window { of: 0, count: 0 }, &day, &day, "bad_count"),
        (DimRule::Latest { count: 0 }, &day, &day, "bad_count"),
        (DimRule::Same { of: 1 }, &day, &day, "unknown_dimension"),
        (outside, &day, &listed, "unknown_key"),
        (DimRule::Only(RangeSet::new()), &day, &listed, "unknown_key"),
    ] {
        assert_eq!(problems(rule.clone(), out, input), [code], "{rule:?}");
    }
    let none = Mapping { rules: vec![], before_start: Edge::Clip, after_end: Edge::Clip };
    assert_eq!(none.validate(&[], std::slice::from_ref(&day))[0].code(), "unmapped_dimension");
}

#[test]
fn an_output_without_end_outgrows_an_input_with_one() {
    let (open, closed) = (days("2010-01-01", None), days("2010-01-01", Some("2010-12-31")));
    let same = with_edges(DimRule::Same { of: 0 }, Edge::Fail, Edge::Fail);
    let validate = |out: &KeySpace, input: &KeySpace| {
        same.validate(std::slice::from_ref(out), std::slice::from_ref(input))
    };
    let KeySpace::Time(space) = &closed else { unreachable!("it is a time space") };
    let over = space.end().unwrap() + 1;
    assert_eq!(
        validate(&open, &closed),
        [MappingProblem::Hole { dim: 0, of: 0, output: over, missing: over, side: HoleSide::AfterEnd }]
    );
    assert_eq!(validate(&closed, &open), []);
}

/// Hours end with their day, also half an hour from those of UTC.
#[test]
fn a_day_is_made_from_its_hours() {
    let zone = "Asia/Kolkata";
    let daily = time(Granularity::Day, "2010-01-01", None, zone);
    let hours = time(Granularity::Hour, "2010-01-01T00", None, zone);
    let clip = with_edges(DimRule::Rollup { of: 0 }, Edge::Clip, Edge::Clip);
    let [needed, ..] = needed(&clip, &daily, &hours, "2010-01-05T18:30Z", "2010-01-05");
    assert_eq!(needed, "2010-01-05T00..2010-01-05T23");
    assert!(!clip.is_time_dependent(std::slice::from_ref(&hours)));
}

/// Several input dimensions that follow from one output dimension move together.
#[test]
fn dimensions_with_one_origin_give_a_diagonal() {
    let listed = KeySpace::of_static(vec![0, 1, 2]);
    let (one, three) = ([listed.clone()], [listed.clone(), listed.clone(), listed]);
    let keys = RangeSet::range(0, 2);
    let (one_extent, three_extents) = ([keys.clone()], [keys.clone(), keys.clone(), keys]);
    let out = Side { shape: Shape::of(&one), spaces: &one, extents: &one_extent };
    let input = Side { shape: Shape::of(&three), spaces: &three, extents: &three_extents };
    let mapping =
        Mapping { rules: vec![DimRule::Same { of: 0 }; 3], before_start: Edge::Fail, after_end: Edge::Fail };
    let all = PartitionSet::full(out.shape, out.extents);
    let needed = mapping.inputs_of(&out, &input, &all).unwrap().needed;
    let found: Vec<Vec<Key>> = needed.iter().map(|key| key.keys().to_vec()).collect();
    assert_eq!(found, [[0; 3], [1; 3], [2; 3]]);
    assert_eq!(mapping.dependents_of(&out, &input, &needed, &all), all);
}

/// Ten million partitions with windows over half a dozen datasets take thousands of runs, not millions.
#[test]
fn cost_is_in_runs() {
    let cities = KeySpace::of_static((0..1_000).collect());
    let spaces = [cities, days("1990-01-01", Some("2017-05-18"))];
    let extents: Vec<RangeSet> = spaces.iter().map(|space| space.bounds(&Symbols::new())).collect();
    let shape = Shape::of(&spaces);
    let side = Side { shape, spaces: &spaces, extents: &extents };
    let mapping = Mapping {
        rules: vec![DimRule::Same { of: 0 }, DimRule::Window { of: 1, count: 30 }],
        before_start: Edge::Clip,
        after_end: Edge::Fail,
    };
    let all = PartitionSet::full(shape, &extents);
    assert_eq!(all.len(), 10_000_000);
    let inputs = mapping.inputs_of(&side, &side, &all).unwrap();
    assert_eq!((inputs.needed.len(), inputs.needed.runs()), (10_000_000, 1_000));
    let first_day: Key = extents[1].first().unwrap();
    let changed = all.within_dim(1, &RangeSet::single(first_day + 100));
    assert_eq!(mapping.dependents_of(&side, &side, &changed, &all).len(), 30_000);
}
