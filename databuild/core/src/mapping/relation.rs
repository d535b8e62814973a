//! One rule between one output dimension and one input dimension, on sets of keys.
//!
//! Time rules give each output key a span of input keys whose ends only grow with the key. So the image
//! of a range is a range, the preimage of a range is a range, and the outputs that reach over an edge are
//! all those below or above one key.

use super::rule::{DimRule, Edge, HoleSide, Mapping};
use super::side::Side;
use crate::keys::KeySpace;
use crate::range_set::{Key, RangeSet};
use crate::time::{Granularity, TimeSpace};

/// A rule with what it needs to know of both dimensions.
pub(super) struct Relation<'a> {
    kind: Kind<'a>,
    /// Output dimension; none for [`Kind::Fixed`].
    of: Option<usize>,
    input: &'a KeySpace,
    /// Input keys that exist.
    extent: &'a RangeSet,
}

enum Kind<'a> {
    /// The same keys for every output.
    Fixed(RangeSet),
    Same,
    /// So many periods before, too.
    Window(u32),
    Offset(i32),
    /// Input periods nest in output periods.
    Rollup(&'a TimeSpace, Granularity),
    /// Output periods nest in input periods.
    Fanout(&'a TimeSpace, Granularity),
}

/// The output keys all of whose needed keys are at or after the input's start, and at or before its
/// end; numbers may be beyond those of keys.
pub(super) struct Inside {
    /// The first that needs nothing before the start.
    pub first: i64,
    /// The last that needs nothing after the end.
    pub last: i64,
}

impl<'a> Relation<'a> {
    /// All rules of a mapping in the order of input dimensions. A rule that does not fit its key spaces,
    /// which [`Mapping::validate`] reports, needs nothing.
    pub(super) fn all(mapping: &'a Mapping, out: &Side<'a>, input: &Side<'a>) -> Vec<Relation<'a>> {
        let dims = mapping.rules.iter().zip(input.spaces).zip(input.extents);
        dims.map(|((rule, space), extent)| Relation::new(rule, out.spaces, space, extent)).collect()
    }

    pub(super) fn new(
        rule: &'a DimRule,
        out_spaces: &'a [KeySpace],
        input: &'a KeySpace,
        extent: &'a RangeSet,
    ) -> Relation<'a> {
        let output = rule.of().and_then(|of| out_spaces.get(of)).and_then(KeySpace::time);
        let (fine_in, fine_out) = match (input.time(), output) {
            (Some(input), Some(output)) if input.granularity().nests_in(output.granularity()) => {
                (Some((input, output.granularity())), None)
            }
            (Some(input), Some(output)) if output.granularity().nests_in(input.granularity()) => {
                (None, Some((output, input.granularity())))
            }
            _ => (None, None),
        };
        let known = rule.of().is_some_and(|of| of < out_spaces.len());
        let kind = match rule {
            DimRule::Same { .. } if known => Kind::Same,
            DimRule::Window { count, .. } if known => Kind::Window(count.saturating_sub(1)),
            DimRule::Offset { by, .. } if known => Kind::Offset(*by),
            DimRule::Rollup { .. } => match fine_in {
                Some((fine, coarse)) => Kind::Rollup(fine, coarse),
                None => Kind::Fixed(RangeSet::new()),
            },
            DimRule::Fanout { .. } => match fine_out {
                Some((fine, coarse)) => Kind::Fanout(fine, coarse),
                None => Kind::Fixed(RangeSet::new()),
            },
            DimRule::All => Kind::Fixed(extent.clone()),
            DimRule::Latest { count } => Kind::Fixed(extent.take_last(u64::from(*count))),
            DimRule::Only(keys) => Kind::Fixed(keys.clone()),
            _ => Kind::Fixed(RangeSet::new()),
        };
        let of = if matches!(kind, Kind::Fixed(_)) { None } else { rule.of() };
        Relation { kind, of, input, extent }
    }

    /// The output dimension that decides, if any.
    pub(super) fn of(&self) -> Option<usize> {
        self.of
    }

    /// Needed keys that exist, of any output key in `keys`.
    pub(super) fn image(&self, keys: &RangeSet) -> RangeSet {
        match &self.kind {
            Kind::Fixed(fixed) => fixed.intersect(self.extent),
            Kind::Same => keys.intersect(self.extent),
            Kind::Window(back) => keys.dilate(*back, 0).intersect(self.extent),
            Kind::Offset(by) => keys.shift(i64::from(*by)).intersect(self.extent),
            Kind::Rollup(fine, coarse) => {
                keys.map_ranges(|lo, hi| fine.within_all(*coarse, lo, hi)).intersect(self.extent)
            }
            Kind::Fanout(fine, coarse) => keys
                .map_ranges(|lo, hi| (fine.containing(*coarse, lo), fine.containing(*coarse, hi)))
                .intersect(self.extent),
        }
    }

    /// Output keys that need any input key in `keys`; all of which must exist. Not for fixed ones.
    pub(super) fn preimage(&self, keys: &RangeSet) -> RangeSet {
        match &self.kind {
            Kind::Fixed(_) => RangeSet::range(0, Key::MAX),
            Kind::Same => keys.clone(),
            Kind::Window(back) => keys.dilate(0, *back),
            Kind::Offset(by) => keys.shift(-i64::from(*by)),
            Kind::Rollup(fine, coarse) => {
                keys.map_ranges(|lo, hi| (fine.containing(*coarse, lo), fine.containing(*coarse, hi)))
            }
            Kind::Fanout(fine, coarse) => keys.map_ranges(|lo, hi| fine.within_all(*coarse, lo, hi)),
        }
    }

    /// The last output key from `key` on that needs the same input keys, without a gap.
    pub(super) fn alike_until(&self, key: Key) -> Key {
        match &self.kind {
            Kind::Fixed(_) => Key::MAX,
            Kind::Fanout(fine, coarse) => {
                let period = fine.containing(*coarse, key);
                fine.within(*coarse, period).map_or(key, |(_, last)| last.max(key))
            }
            _ => key,
        }
    }

    /// Output keys that need keys over an edge with the rule `edge`. For fixed ones: all or none.
    pub(super) fn over_edges(&self, mapping: &Mapping, edge: Edge) -> RangeSet {
        let (before, after) = (mapping.before_start == edge, mapping.after_end == edge);
        if !before && !after {
            return RangeSet::new();
        }
        let Some(space) = self.input.time() else {
            let missing = match &self.kind {
                _ if !after => false,
                Kind::Fixed(fixed) => !fixed.is_subset(self.extent),
                _ => return RangeSet::range(0, Key::MAX).subtract(self.extent),
            };
            return if missing { RangeSet::range(0, Key::MAX) } else { RangeSet::new() };
        };
        if let Kind::Fixed(fixed) = &self.kind {
            let strange = fixed.subtract(self.extent);
            let is_before = strange.first().is_some_and(|key| key < space.start());
            let is_after = strange.last().is_some_and(|key| key >= space.start());
            let over = before && is_before || after && is_after;
            return if over { RangeSet::range(0, Key::MAX) } else { RangeSet::new() };
        }
        let inside = self.inside(i64::from(space.start()), self.last(space));
        let mut over = RangeSet::new();
        if before {
            over.union_with(&clamped(0, inside.first - 1));
        }
        if after {
            over.union_with(&clamped(inside.last + 1, i64::from(Key::MAX)));
        }
        over
    }

    /// Whether one output key needs keys over an edge with the rule `edge`; for fixed relations, whether
    /// all do.
    pub(super) fn is_over_edge(&self, mapping: &Mapping, edge: Edge, key: Option<Key>) -> bool {
        let (before, after) = (mapping.before_start == edge, mapping.after_end == edge);
        match (key, self.input.time()) {
            _ if !before && !after => false,
            (None, _) => !self.over_edges(mapping, edge).is_empty(),
            (Some(key), None) => after && !self.extent.contains(key),
            (Some(key), Some(space)) => {
                let inside = self.inside(i64::from(space.start()), self.last(space));
                before && i64::from(key) < inside.first || after && i64::from(key) > inside.last
            }
        }
    }

    /// The keys that one output key needs over an edge with the rule `edge`; for fixed relations, that all need.
    pub(super) fn keys_over_edge(
        &self,
        mapping: &Mapping,
        edge: Edge,
        key: Option<Key>,
    ) -> Option<(HoleSide, RangeSet)> {
        if !self.is_over_edge(mapping, edge, key) {
            return None;
        }
        let needed = match (&self.kind, key) {
            (Kind::Fixed(fixed), _) => fixed.clone(),
            (_, Some(key)) => {
                let (first, last) = self.span(key);
                clamped(first, last)
            }
            (_, None) => RangeSet::new(),
        };
        let strange = needed.subtract(self.extent);
        let Some(space) = self.input.time() else { return Some((HoleSide::AfterEnd, strange)) };
        let from_start = RangeSet::range(space.start(), Key::MAX);
        let before = strange.subtract(&from_start);
        if mapping.before_start == edge && !before.is_empty() {
            return Some((HoleSide::BeforeStart, before));
        }
        Some((HoleSide::AfterEnd, strange.intersect(&from_start)))
    }

    /// The last input period that exists, or the one before the first if there are none.
    fn last(&self, space: &TimeSpace) -> i64 {
        self.extent.last().map_or(i64::from(space.start()) - 1, i64::from)
    }

    /// Output keys that stay within input keys from `start` to `last`. Not for fixed ones.
    pub(super) fn inside(&self, start: i64, last: i64) -> Inside {
        let key = |number: i64| Key::try_from(number.max(0)).unwrap_or(Key::MAX);
        match &self.kind {
            Kind::Fixed(_) => Inside { first: 0, last: i64::from(Key::MAX) },
            Kind::Same => Inside { first: start, last },
            Kind::Window(back) => Inside { first: start + i64::from(*back), last },
            Kind::Offset(by) => {
                Inside { first: start - i64::from(*by), last: last.saturating_sub(i64::from(*by)) }
            }
            Kind::Rollup(fine, coarse) => {
                let period = fine.containing(*coarse, key(start));
                let whole = i64::from(fine.first_within(*coarse, period)) >= start;
                let first = i64::from(period) + i64::from(!whole);
                // The period of the first key after the end is the first that is not complete.
                let open = fine.containing(*coarse, key(last.saturating_add(1)));
                Inside { first, last: i64::from(open) - 1 }
            }
            Kind::Fanout(fine, coarse) => Inside {
                first: i64::from(fine.first_within(*coarse, key(start))),
                last: i64::from(fine.first_within(*coarse, key(last.saturating_add(1)))) - 1,
            },
        }
    }

    /// The first and the last input key, existing or not, that an output key needs. Not for fixed ones.
    pub(super) fn span(&self, key: Key) -> (i64, i64) {
        let at = i64::from(key);
        match &self.kind {
            Kind::Fixed(_) | Kind::Same => (at, at),
            Kind::Window(back) => (at - i64::from(*back), at),
            Kind::Offset(by) => (at + i64::from(*by), at + i64::from(*by)),
            Kind::Rollup(fine, coarse) => match fine.within(*coarse, key) {
                Some((lo, hi)) => (i64::from(lo), i64::from(hi)),
                None => (at, at),
            },
            Kind::Fanout(fine, coarse) => {
                let period = i64::from(fine.containing(*coarse, key));
                (period, period)
            }
        }
    }
}

/// The range with what is beyond the numbers of keys cut off.
fn clamped(lo: i64, hi: i64) -> RangeSet {
    match (Key::try_from(lo.max(0)), Key::try_from(hi.min(i64::from(Key::MAX)))) {
        (Ok(lo), Ok(hi)) => RangeSet::range(lo, hi),
        _ => RangeSet::new(),
    }
}
