//! Which dimension is long, and how a partition's keys divide into tuple and long key.

use super::axis::Axis;
use crate::keys::KeySpace;
use crate::range_set::{Key, RangeSet};

/// Keys of all dimensions but the long one, in dimension order.
pub type Tuple = Box<[Key]>;

/// Tuples of up to this many keys are built without allocation.
const SMALL: usize = 8;

/// How many dimensions there are and which one is kept as ranges: the first time dimension, else the
/// last. A dataset without dimensions has none, and exactly one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: usize,
    long: Option<usize>,
}

impl Shape {
    /// The shape of a dataset with these key spaces.
    #[must_use]
    pub fn of(spaces: &[KeySpace]) -> Shape {
        Shape::of_each(spaces)
    }

    /// The same for key spaces that do not stand side by side.
    #[must_use]
    pub fn of_each<'a>(spaces: impl IntoIterator<Item = &'a KeySpace>) -> Shape {
        let is_time: Vec<bool> = spaces.into_iter().map(|space| space.time().is_some()).collect();
        let time = is_time.iter().position(|time| *time);
        Shape { dims: is_time.len(), long: time.or(is_time.len().checked_sub(1)) }
    }

    /// The shape of every dataset with these axes.
    #[must_use]
    pub fn of_axes(axes: &[Axis]) -> Shape {
        let time = axes.iter().position(|axis| axis.calendar.is_some());
        Shape { dims: axes.len(), long: time.or(axes.len().checked_sub(1)) }
    }

    /// A shape with a chosen long dimension; the last one if `long` is no dimension.
    #[must_use]
    pub fn with_long(dims: usize, long: usize) -> Shape {
        Shape { dims, long: dims.checked_sub(1).map(|last| long.min(last)) }
    }

    /// The number of dimensions.
    #[must_use]
    pub fn dims(self) -> usize {
        self.dims
    }

    /// The dimension kept as ranges; none only without dimensions.
    #[must_use]
    pub fn long(self) -> Option<usize> {
        self.long
    }

    /// The dimensions that make up a tuple, in order.
    pub fn short_dims(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.dims).filter(move |dim| Some(*dim) != self.long)
    }

    /// The number of rows of all combinations of keys, given one set for each dimension.
    #[must_use]
    pub fn rows_of(self, sets: &[RangeSet]) -> u64 {
        self.short_dims().map(|dim| sets[dim].len()).fold(1, u64::saturating_mul)
    }

    /// The place of a dimension in the tuple; none for the long one.
    #[must_use]
    pub fn place(self, dim: usize) -> Option<usize> {
        match self.long {
            Some(long) if long == dim => None,
            Some(long) if long < dim => Some(dim - 1),
            _ => Some(dim),
        }
    }

    /// Tuple and long key of a partition; without dimensions, the empty tuple and 0.
    #[must_use]
    pub fn split(self, key: &PartitionKey) -> (Tuple, Key) {
        self.with_split(key, |tuple, long| (tuple.into(), long))
    }

    /// The partition of a tuple and a long key.
    #[must_use]
    pub fn join(self, tuple: &[Key], long: Key) -> PartitionKey {
        let Some(at) = self.long else {
            return PartitionKey(Box::default());
        };
        let mut keys = Vec::with_capacity(self.dims);
        keys.extend_from_slice(&tuple[..at]);
        keys.push(long);
        keys.extend_from_slice(&tuple[at..]);
        PartitionKey(keys.into())
    }

    /// [`Shape::split`] without allocation for few dimensions.
    pub(super) fn with_split<R>(self, key: &PartitionKey, then: impl FnOnce(&[Key], Key) -> R) -> R {
        debug_assert_eq!(key.0.len(), self.dims, "a partition key has one key for each dimension");
        let Some(at) = self.long else {
            return then(&[], 0);
        };
        let (head, tail) = (&key.0[..at], &key.0[at + 1..]);
        let len = head.len() + tail.len();
        if len <= SMALL {
            let mut tuple = [0; SMALL];
            tuple[..at].copy_from_slice(head);
            tuple[at..len].copy_from_slice(tail);
            then(&tuple[..len], key.0[at])
        } else {
            then(&[head, tail].concat(), key.0[at])
        }
    }
}

/// One partition: a key for each dimension, in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey(pub Box<[Key]>);

impl PartitionKey {
    /// From keys in dimension order.
    pub fn new(keys: impl Into<Box<[Key]>>) -> PartitionKey {
        PartitionKey(keys.into())
    }

    /// Keys in dimension order.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.0
    }
}
