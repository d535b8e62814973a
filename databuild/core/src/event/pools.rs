//! What is said of pools.

use super::fact::Fact;
use super::origin::Origin;
use crate::amounts::count;

/// See [`super::Event::PoolResized`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolResized {
    /// Its label.
    pub pool: String,
    /// How many slots it has from now on, whatever the graph declares; none = as the graph declares.
    pub slots: Option<u32>,
}

impl Fact for PoolResized {
    fn text(&self, who: &Origin) -> String {
        match self.slots {
            Some(slots) => format!("{who} set pool {} to {}", self.pool, count(slots.into(), "slot")),
            None => format!("{who} set pool {} back to the size that the graph declares", self.pool),
        }
    }

    fn example() -> PoolResized {
        PoolResized { pool: "//sales:db".into(), slots: Some(0) }
    }
}
