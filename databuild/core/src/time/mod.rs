//! Time keys: calendar periods as absolute numbers, and how periods of different length contain each other.

mod calendar;
mod clock;
mod instants;
mod space;
mod text;
mod zone;

pub use calendar::Granularity;
pub(crate) use calendar::{date_of_day, first_day};
pub(crate) use clock::Stretch;
pub(crate) use instants::{instant_of, seconds_of};
pub use space::TimeSpace;
pub use zone::Zone;

#[cfg(test)]
mod tests;
