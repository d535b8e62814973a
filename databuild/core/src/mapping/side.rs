//! What a mapping needs to know of the datasets at its ends.

use crate::keys::KeySpace;
use crate::partition_set::Shape;
use crate::range_set::RangeSet;

/// One end of a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Shape of the dataset's sets.
    pub shape: Shape,
    /// Its key spaces, in dimension order.
    pub spaces: &'a [KeySpace],
    /// The keys of these spaces that exist at the plan's instant.
    pub extents: &'a [RangeSet],
}
