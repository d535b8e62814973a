//! What can be wrong with a mapping, found before anything runs.

use super::relation::Relation;
use super::rule::{DimRule, Edge, HoleSide, Mapping};
use crate::keys::KeySpace;
use crate::range_set::{Key, RangeSet};
use crate::symbols::Symbols;
use crate::time::{Granularity, TimeSpace};

/// Something wrong with a mapping. `dim` is the index of an input dimension, `of` of an output dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingProblem {
    /// Not one rule for each input dimension.
    RuleCount {
        /// Dimensions of the input.
        dims: usize,
        /// Rules.
        rules: usize,
    },
    /// There is no such output dimension.
    NoSuchDimension {
        /// Input dimension.
        dim: usize,
        /// The index that is too large.
        of: usize,
    },
    /// A window or latest of nothing.
    ZeroCount {
        /// Input dimension.
        dim: usize,
    },
    /// A rule about periods, and at least one of the two dimensions is static.
    NeedsTime {
        /// Input dimension.
        dim: usize,
        /// Output dimension.
        of: usize,
        /// The rule's name.
        rule: &'static str,
    },
    /// `same` between a time and a static dimension.
    KindMismatch {
        /// Input dimension.
        dim: usize,
        /// Output dimension.
        of: usize,
    },
    /// Lengths of periods that the rule cannot relate.
    GranularityMismatch {
        /// Input dimension.
        dim: usize,
        /// Output dimension.
        of: usize,
        /// The rule's name.
        rule: &'static str,
        /// Length of the input's periods.
        input: Granularity,
        /// Length of the output's periods.
        output: Granularity,
    },
    /// Periods of different zones.
    TimezoneMismatch {
        /// Input dimension.
        dim: usize,
        /// Output dimension.
        of: usize,
        /// The input's zone.
        input: String,
        /// The output's zone.
        output: String,
    },
    /// `only` names keys outside the input's key space, or none.
    OnlyOutside {
        /// Input dimension.
        dim: usize,
        /// Those keys; empty if `only` names none at all.
        keys: RangeSet,
    },
    /// An output key needs a key that the input never has, and the edge rule is `fail`.
    Hole {
        /// Input dimension.
        dim: usize,
        /// Output dimension.
        of: usize,
        /// The first output key with that problem.
        output: Key,
        /// The first input key it misses.
        missing: Key,
        /// Which edge rule would have to be another one.
        side: HoleSide,
    },
}

impl MappingProblem {
    /// A stable name of the problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            MappingProblem::RuleCount { .. } => "unmapped_dimension",
            MappingProblem::NoSuchDimension { .. } => "unknown_dimension",
            MappingProblem::ZeroCount { .. } => "bad_count",
            MappingProblem::NeedsTime { .. }
            | MappingProblem::KindMismatch { .. }
            | MappingProblem::GranularityMismatch { .. } => "granularity_mismatch",
            MappingProblem::TimezoneMismatch { .. } => "timezone_mismatch",
            MappingProblem::OnlyOutside { .. } => "unknown_key",
            MappingProblem::Hole { .. } => "mapping_hole",
        }
    }
}

impl Mapping {
    /// Everything wrong with the mapping between datasets with these key spaces, by input dimension.
    /// Without any, [`Mapping::inputs_of`] of any existing output fails only for keys that do not exist
    /// yet.
    #[must_use]
    pub fn validate(&self, out_spaces: &[KeySpace], in_spaces: &[KeySpace]) -> Vec<MappingProblem> {
        let mut problems = Vec::new();
        if self.rules.len() != in_spaces.len() {
            problems.push(MappingProblem::RuleCount { dims: in_spaces.len(), rules: self.rules.len() });
        }
        for (dim, (rule, input)) in self.rules.iter().zip(in_spaces).enumerate() {
            let output = match rule.of() {
                Some(of) => match out_spaces.get(of) {
                    Some(output) => Some((of, output)),
                    None => {
                        problems.push(MappingProblem::NoSuchDimension { dim, of });
                        continue;
                    }
                },
                None => None,
            };
            if let Some(problem) = misfit(rule, dim, output, input) {
                problems.push(problem);
            } else if let Some((of, output)) = output {
                problems.extend(self.holes(rule, (dim, input), (of, output), out_spaces));
            }
        }
        problems
    }

    fn holes(
        &self,
        rule: &DimRule,
        (dim, input): (usize, &KeySpace),
        (of, output): (usize, &KeySpace),
        out_spaces: &[KeySpace],
    ) -> Vec<MappingProblem> {
        let hole = |output: Key, missing: Key, side| MappingProblem::Hole { dim, of, output, missing, side };
        if input.dynamic().is_some() || output.dynamic().is_some() {
            // Which keys there will be, nobody knows yet; edge rules tell when they are there.
            return Vec::new();
        }
        let none = Symbols::new();
        let bounds = input.bounds(&none);
        let (Some(space), Some(outputs)) = (input.time(), output.time()) else {
            let missing = output.bounds(&none).subtract(&bounds).first();
            let missing = missing.filter(|_| self.after_end == Edge::Fail);
            return missing.map(|key| hole(key, key, HoleSide::AfterEnd)).into_iter().collect();
        };
        let relation = Relation::new(rule, out_spaces, input, &bounds);
        let start = i64::from(space.start());
        let last = space.end().map_or(i64::MAX, i64::from);
        let inside = relation.inside(start, last);
        let mut holes = Vec::new();
        let first_output = outputs.start();
        if self.before_start == Edge::Fail && i64::from(first_output) < inside.first {
            let missing = Key::try_from(relation.span(first_output).0.max(0)).unwrap_or(Key::MAX);
            holes.push(hole(first_output, missing, HoleSide::BeforeStart));
        }
        if self.after_end == Edge::Fail && space.end().is_some() {
            let first_over = (inside.last + 1).max(i64::from(first_output));
            if let Some(over) = Key::try_from(first_over)
                .ok()
                .filter(|key| *key >= first_output && outputs.end().is_none_or(|end| *key <= end))
            {
                let missing = relation.span(over).0.max(last + 1);
                holes.push(hole(over, Key::try_from(missing).unwrap_or(Key::MAX), HoleSide::AfterEnd));
            }
        }
        holes
    }
}

/// Why a rule cannot relate two key spaces.
fn misfit(
    rule: &DimRule,
    dim: usize,
    output: Option<(usize, &KeySpace)>,
    input: &KeySpace,
) -> Option<MappingProblem> {
    match rule {
        DimRule::Window { count: 0, .. } | DimRule::Latest { count: 0 } => {
            return Some(MappingProblem::ZeroCount { dim });
        }
        DimRule::Only(keys) => {
            let outside = match input {
                // They may come.
                KeySpace::Dynamic(_) => RangeSet::new(),
                _ => keys.subtract(&input.bounds(&Symbols::new())),
            };
            let bad = keys.is_empty() || !outside.is_empty();
            return bad.then_some(MappingProblem::OnlyOutside { dim, keys: outside });
        }
        _ => {}
    }
    let (of, output) = output?;
    let (input, output): (&TimeSpace, &TimeSpace) = match (rule, input, output) {
        (_, KeySpace::Time(input), KeySpace::Time(output)) => (input, output),
        (
            DimRule::Same { .. },
            KeySpace::Static(..) | KeySpace::Dynamic(_),
            KeySpace::Static(..) | KeySpace::Dynamic(_),
        ) => return None,
        (DimRule::Same { .. }, ..) => return Some(MappingProblem::KindMismatch { dim, of }),
        _ => return Some(MappingProblem::NeedsTime { dim, of, rule: rule.name() }),
    };
    let (fine, coarse) = (input.granularity(), output.granularity());
    let fits = match rule {
        DimRule::Rollup { .. } => fine.nests_in(coarse),
        DimRule::Fanout { .. } => coarse.nests_in(fine),
        _ => fine == coarse,
    };
    if !fits {
        return Some(MappingProblem::GranularityMismatch {
            dim,
            of,
            rule: rule.name(),
            input: fine,
            output: coarse,
        });
    }
    (input.zone() != output.zone()).then(|| MappingProblem::TimezoneMismatch {
        dim,
        of,
        input: input.zone().name().to_owned(),
        output: output.zone().name().to_owned(),
    })
}
