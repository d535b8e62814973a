//! What a mapping says, as declared.

use crate::keys::KeySpace;
use crate::range_set::RangeSet;

/// How the needed keys of one input dimension follow from an output partition. `of` is the index of an
/// output dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DimRule {
    /// The same key.
    Same {
        /// Output dimension.
        of: usize,
    },
    /// The same period and those before it, `count` in all.
    Window {
        /// Output dimension.
        of: usize,
        /// Number of periods.
        count: u32,
    },
    /// The period `by` later, or earlier if negative.
    Offset {
        /// Output dimension.
        of: usize,
        /// Number of periods.
        by: i32,
    },
    /// All shorter periods within the output's period.
    Rollup {
        /// Output dimension.
        of: usize,
    },
    /// The longer period that contains the output's period.
    Fanout {
        /// Output dimension.
        of: usize,
    },
    /// Every key that exists.
    All,
    /// The last `count` keys that exist, or all if there are fewer.
    Latest {
        /// Number of keys.
        count: u32,
    },
    /// These keys.
    Only(RangeSet),
}

impl DimRule {
    /// The output dimension it looks at, if any.
    #[must_use]
    pub fn of(&self) -> Option<usize> {
        match self {
            DimRule::Same { of }
            | DimRule::Window { of, .. }
            | DimRule::Offset { of, .. }
            | DimRule::Rollup { of }
            | DimRule::Fanout { of } => Some(*of),
            DimRule::All | DimRule::Latest { .. } | DimRule::Only(_) => None,
        }
    }

    /// Its name in declarations.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            DimRule::Same { .. } => "same",
            DimRule::Window { .. } => "window",
            DimRule::Offset { .. } => "offset",
            DimRule::Rollup { .. } => "rollup",
            DimRule::Fanout { .. } => "fanout",
            DimRule::All => "all",
            DimRule::Latest { .. } => "latest",
            DimRule::Only(_) => "only",
        }
    }
}

/// What happens to an output that needs a key which the input does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// It is made without that key.
    Clip,
    /// It cannot be made, and that is an error.
    Fail,
    /// It is not made, and that is fine.
    Skip,
}

/// Which partitions of an input dataset an output partition needs: those whose keys satisfy every
/// dimension's rule.
///
/// A key before the start of the input's key space falls under `before_start`; one after the last key
/// that exists, or one that a static dimension does not list, under `after_end`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// One for each input dimension, in order.
    pub rules: Vec<DimRule>,
    /// For keys before the start.
    pub before_start: Edge,
    /// For keys after the end.
    pub after_end: Edge,
}

/// Over which edge a mapping reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoleSide {
    /// Before the start of the input's key space.
    BeforeStart,
    /// After its end; or, in a static dimension, a key it does not list.
    AfterEnd,
}

impl HoleSide {
    /// The name of the edge rule in declarations.
    #[must_use]
    pub fn rule_name(self) -> &'static str {
        match self {
            HoleSide::BeforeStart => "before_start",
            HoleSide::AfterEnd => "after_end",
        }
    }
}

impl Mapping {
    /// What happens to an output that needs a key over that edge.
    #[must_use]
    pub fn edge(&self, side: HoleSide) -> Edge {
        match side {
            HoleSide::BeforeStart => self.before_start,
            HoleSide::AfterEnd => self.after_end,
        }
    }

    /// The mapping that needs whatever this one needs at any instant.
    #[must_use]
    pub fn ever(&self) -> Mapping {
        let ever = |rule: &DimRule| match rule {
            DimRule::Latest { .. } => DimRule::All,
            other => other.clone(),
        };
        Mapping { rules: self.rules.iter().map(ever).collect(), ..*self }
    }

    /// Whether the needed keys of an output partition that could be made once may change by the mere
    /// passing of time, as `all` of a time dimension grows.
    #[must_use]
    pub fn is_time_dependent(&self, in_spaces: &[KeySpace]) -> bool {
        // Under `fail` and `skip`, an output is made only once all it needs exists.
        let clips = self.after_end == Edge::Clip;
        self.rules.iter().zip(in_spaces).any(|(rule, space)| {
            space.time().is_some()
                && match rule {
                    DimRule::All | DimRule::Latest { .. } => true,
                    DimRule::Only(_) | DimRule::Fanout { .. } => clips,
                    DimRule::Offset { by, .. } => clips && *by > 0,
                    // An output's period has ended, so the same, earlier and shorter ones have.
                    DimRule::Same { .. } | DimRule::Window { .. } | DimRule::Rollup { .. } => false,
                }
        })
    }
}
