//! Partition mappings: which input partitions an output partition needs, on sets, in both directions.

mod project;
mod relation;
mod rule;
mod validate;

pub use project::{Inputs, Over, Side, TooMany};
pub use rule::{DimRule, Edge, Mapping};
pub use validate::{HoleSide, MappingProblem};

#[cfg(test)]
mod tests;
