//! Mappings applied to sets of partitions.
//!
//! Both directions work on rows: the image of a row is a box (a product of key sets), unless several
//! input dimensions follow from the row's long dimension; then the row is split. Rows that differ only
//! in dimensions without influence are joined first.

use super::relation::Relation;
use super::rule::{Edge, HoleSide, Mapping};
use super::side::Side;
use crate::partition_set::{PartitionKey, PartitionSet, Tuple, MOST_ROWS};
use crate::range_set::{Key, RangeSet};
use std::borrow::Cow;
use std::convert::Infallible;

/// What a set of outputs needs from one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// Input partitions that outputs neither failing nor skipped need; all of them exist in the input's
    /// key space.
    pub needed: PartitionSet,
    /// Outputs that need a key over an edge with the rule `fail`.
    pub failing: PartitionSet,
    /// Other outputs that need a key over an edge with the rule `skip`.
    pub skipped: PartitionSet,
}

/// Outputs need so many partitions of an input at once that no set can list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Keys that an output needs and that the input does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    /// Dimension of the input.
    pub dim: usize,
    /// The edge beyond which they are.
    pub side: HoleSide,
    /// The keys.
    pub keys: RangeSet,
}

impl Mapping {
    /// What the outputs in `set` need.
    ///
    /// # Errors
    /// The set of what they need has more than [`MOST_ROWS`] rows.
    pub fn inputs_of(&self, out: &Side, input: &Side, set: &PartitionSet) -> Result<Inputs, TooMany> {
        let relations = Relation::all(self, out, input);
        let (failing, skipped, good) = self.split(&relations, set);
        let mut needed = PartitionSet::empty(input.shape);
        image(&relations, &good, |sets| {
            if input.shape.rows_of(sets) > MOST_ROWS {
                return Err(TooMany);
            }
            needed.insert_box(sets);
            if needed.rows().len() as u64 > MOST_ROWS {
                return Err(TooMany);
            }
            Ok(())
        })?;
        Ok(Inputs { needed, failing, skipped })
    }

    /// What of `among` the outputs in `set` need, however much else they need.
    #[must_use]
    pub fn inputs_among(
        &self,
        out: &Side,
        input: &Side,
        set: &PartitionSet,
        among: &PartitionSet,
    ) -> PartitionSet {
        let relations = Relation::all(self, out, input);
        let (.., good) = self.split(&relations, set);
        let mut needed = PartitionSet::empty(input.shape);
        let all: Result<(), Infallible> = image(&relations, &good, |sets| {
            needed.union_with(&among.within(sets));
            Ok(())
        });
        let Ok(()) = all;
        needed
    }

    /// Those of `set` that edges fail, and those that edges skip.
    #[must_use]
    pub fn over_edges(&self, out: &Side, input: &Side, set: &PartitionSet) -> (PartitionSet, PartitionSet) {
        let (failing, skipped, _) = self.split(&Relation::all(self, out, input), set);
        (failing, skipped)
    }

    /// Those of `set` that edges fail, that edges skip, and the others.
    fn split<'s>(
        &self,
        relations: &[Relation],
        set: &'s PartitionSet,
    ) -> (PartitionSet, PartitionSet, Cow<'s, PartitionSet>) {
        let failing = self.over_edge(relations, Edge::Fail, set);
        let mut skipped = self.over_edge(relations, Edge::Skip, set);
        skipped.subtract_with(&failing);
        let mut good = Cow::Borrowed(set);
        for bad in [&failing, &skipped] {
            if !bad.is_empty() {
                good.to_mut().subtract_with(bad);
            }
        }
        (failing, skipped, good)
    }

    /// What one output partition needs.
    ///
    /// # Errors
    /// The set of what it needs has more than [`MOST_ROWS`] rows.
    pub fn inputs_of_one(&self, out: &Side, input: &Side, key: &PartitionKey) -> Result<Inputs, TooMany> {
        let none = PartitionSet::empty(out.shape);
        let mut inputs =
            Inputs { needed: PartitionSet::empty(input.shape), failing: none.clone(), skipped: none };
        match self.keys_of_one(out, input, key) {
            Err(Edge::Fail) => _ = inputs.failing.insert(key),
            Err(_) => _ = inputs.skipped.insert(key),
            Ok(sets) if input.shape.rows_of(&sets) > MOST_ROWS => return Err(TooMany),
            Ok(sets) => inputs.needed.insert_box(&sets),
        }
        Ok(inputs)
    }

    /// What one output partition needs: all combinations of these keys, one set for each dimension of the input; or the
    /// rule of the edge over which it needs a key.
    ///
    /// # Errors
    /// It is not made.
    pub fn keys_of_one(&self, out: &Side, input: &Side, key: &PartitionKey) -> Result<Vec<RangeSet>, Edge> {
        let relations = Relation::all(self, out, input);
        let single = |dim: usize| RangeSet::single(key.keys()[dim]);
        let over = |edge: Edge| {
            let key_of = |relation: &Relation| relation.of().map(|dim| key.keys()[dim]);
            relations.iter().any(|relation| relation.is_over_edge(self, edge, key_of(relation)))
        };
        if let Some(edge) = [Edge::Fail, Edge::Skip].into_iter().find(|edge| over(*edge)) {
            return Err(edge);
        }
        let image = |relation: &Relation| relation.image(&relation.of().map_or_else(RangeSet::new, single));
        Ok(relations.iter().map(image).collect())
    }

    /// The keys that one output partition needs over an edge with that rule, in the first dimension that has any.
    #[must_use]
    pub fn keys_over_edge(&self, out: &Side, input: &Side, key: &PartitionKey, edge: Edge) -> Option<Over> {
        let relations = Relation::all(self, out, input);
        relations.iter().enumerate().find_map(|(dim, relation)| {
            let (side, keys) = relation.keys_over_edge(self, edge, relation.of().map(|of| key.keys()[of]))?;
            Some(Over { dim, side, keys })
        })
    }

    /// Outputs of `among` that exist and need some partition of `set`, without those that edges fail or skip.
    #[must_use]
    pub fn dependents_of(
        &self,
        out: &Side,
        input: &Side,
        set: &PartitionSet,
        among: &PartitionSet,
    ) -> PartitionSet {
        let relations = Relation::all(self, out, input);
        let mut existing = set.within(input.extents);
        let mut used = vec![false; relations.len()];
        let mut possible: Vec<RangeSet> = out.extents.to_vec();
        for (dim, relation) in relations.iter().enumerate() {
            let over = [Edge::Fail, Edge::Skip].map(|edge| relation.over_edges(self, edge));
            match relation.of() {
                Some(of) => {
                    used[dim] = true;
                    over.iter().for_each(|over| possible[of].subtract_with(over));
                }
                None if over.iter().any(|over| !over.is_empty()) => return PartitionSet::empty(out.shape),
                None => existing = existing.within_dim(dim, &relation.image(&RangeSet::new())),
            }
        }
        let mut dependents = PartitionSet::empty(out.shape);
        let existing = joined(&existing, &used);
        let mut memo = Memo::default();
        for (tuple, row) in existing.rows() {
            let mut sets = possible.clone();
            for (dim, relation) in relations.iter().enumerate() {
                let Some(of) = relation.of() else { continue };
                let preimage = |keys: &RangeSet| relation.preimage(keys);
                sets[of] = match input.shape.place(dim) {
                    Some(place) => sets[of].intersect(&preimage(&RangeSet::single(tuple[place]))),
                    None => sets[of].intersect(memo.get(dim, row, preimage)),
                };
            }
            if sets.iter().all(|set| !set.is_empty()) {
                dependents.union_with(&among.within(&sets));
            }
        }
        dependents
    }

    /// Partitions of `set` that need a key over an edge with that rule.
    fn over_edge(&self, relations: &[Relation], edge: Edge, set: &PartitionSet) -> PartitionSet {
        let mut all = PartitionSet::empty(set.shape());
        for relation in relations {
            let over = relation.over_edges(self, edge);
            if over.is_empty() {
                continue;
            }
            match relation.of() {
                Some(dim) => all.union_with(&set.within_dim(dim, &over)),
                None => return set.clone(),
            }
        }
        all
    }
}

/// Visits boxes that together are the existing input partitions that any output in `set` needs, until a visit fails.
fn image<E>(
    relations: &[Relation],
    set: &PartitionSet,
    mut visit: impl FnMut(&[RangeSet]) -> Result<(), E>,
) -> Result<(), E> {
    let mut used = vec![false; set.shape().dims()];
    relations.iter().filter_map(Relation::of).for_each(|of| used[of] = true);
    let fixed: Vec<Option<RangeSet>> = relations
        .iter()
        .map(|relation| relation.of().is_none().then(|| relation.image(&RangeSet::new())))
        .collect();
    if fixed.iter().flatten().any(RangeSet::is_empty) {
        return Ok(());
    }
    let shape = set.shape();
    let of_long = |dim: &usize| relations[*dim].of().is_some_and(|of| Some(of) == shape.long());
    let long_dims: Vec<usize> = (0..relations.len()).filter(of_long).collect();
    let set = joined(set, &used);
    let mut memo = Memo::default();
    for (tuple, row) in set.rows() {
        let mut sets: Vec<RangeSet> = relations
            .iter()
            .zip(&fixed)
            .map(|(relation, fixed)| match (fixed, relation.of().and_then(|of| shape.place(of))) {
                (Some(fixed), _) => fixed.clone(),
                (None, Some(place)) => relation.image(&RangeSet::single(tuple[place])),
                // Follows from the long dimension and is filled in below.
                (None, None) => RangeSet::new(),
            })
            .collect();
        let mut add = |sets: &[RangeSet]| match sets.iter().any(RangeSet::is_empty) {
            true => Ok(()),
            false => visit(sets),
        };
        if long_dims.len() > 1 {
            let longs: Vec<&Relation> = long_dims.iter().map(|dim| &relations[*dim]).collect();
            pieces(&longs, row, |piece| {
                long_dims.iter().for_each(|dim| sets[*dim] = relations[*dim].image(piece));
                add(&sets)
            })?;
        } else {
            for dim in &long_dims {
                sets[*dim] = memo.get(*dim, row, |row| relations[*dim].image(row)).clone();
            }
            add(&sets)?;
        }
    }
    Ok(())
}

/// Splits a row so that within a piece all relations but at most one need the same keys everywhere;
/// then the image of the piece is a box.
fn pieces<E>(
    relations: &[&Relation],
    row: &RangeSet,
    mut visit: impl FnMut(&RangeSet) -> Result<(), E>,
) -> Result<(), E> {
    for (mut lo, hi) in row.ranges() {
        loop {
            // The relation that changes first may change within the piece, the second may not.
            let mut ends: Vec<Key> = relations.iter().map(|relation| relation.alike_until(lo)).collect();
            ends.sort_unstable();
            let end = ends.get(1).copied().unwrap_or(hi).min(hi);
            visit(&RangeSet::range(lo, end))?;
            if end == hi {
                break;
            }
            lo = end + 1;
        }
    }
    Ok(())
}

/// What came out for the long dimension of the row before: neighbouring rows are mostly alike, and
/// converting many runs between calendars is slow.
#[derive(Default)]
struct Memo<'a> {
    by_dim: Vec<Option<(&'a RangeSet, RangeSet)>>,
}

impl<'a> Memo<'a> {
    fn get(
        &mut self,
        dim: usize,
        row: &'a RangeSet,
        compute: impl FnOnce(&RangeSet) -> RangeSet,
    ) -> &RangeSet {
        if self.by_dim.len() <= dim {
            self.by_dim.resize_with(dim + 1, || None);
        }
        let slot = &mut self.by_dim[dim];
        if slot.as_ref().is_some_and(|(known, _)| *known != row) {
            *slot = None;
        }
        &slot.get_or_insert_with(|| (row, compute(row))).1
    }
}

/// The set with rows joined that differ only in unused dimensions, whose keys are all 0 then.
fn joined<'a>(set: &'a PartitionSet, used: &[bool]) -> Cow<'a, PartitionSet> {
    if used.iter().all(|used| *used) {
        return Cow::Borrowed(set);
    }
    let shape = set.shape();
    let keep_row = shape.long().is_none_or(|long| used[long]);
    let mut all = PartitionSet::empty(shape);
    for (tuple, row) in set.rows() {
        let tuple: Tuple =
            shape.short_dims().zip(tuple).map(|(dim, key)| if used[dim] { *key } else { 0 }).collect();
        all.insert_row(tuple, if keep_row { row.clone() } else { RangeSet::single(0) });
    }
    Cow::Owned(all)
}
