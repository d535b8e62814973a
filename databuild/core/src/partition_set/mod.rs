//! Exact sets of partitions of one dataset, as rows of ranges.
//!
//! One dimension, the long one, is kept as a [`RangeSet`](crate::range_set::RangeSet) for each tuple of
//! the other dimensions' keys. Invariants: no row is empty, so equal sets have equal representations;
//! costs grow with rows and runs, never with partitions.

mod axis;
mod order;
mod set;
mod shape;

pub use axis::Axis;
pub use order::Order;
pub use set::{size, PartitionSet, MOST_ROWS};
pub use shape::{PartitionKey, Shape, Tuple};
