//! Partition mappings: which input partitions an output partition needs, on sets, in both directions.

mod project;
mod relation;
mod rule;
mod side;
mod validate;

pub use project::{Inputs, Over, TooMany};
pub use rule::{DimRule, Edge, HoleSide, Mapping};
pub use side::Side;
pub use validate::MappingProblem;

#[cfg(test)]
mod tests;
