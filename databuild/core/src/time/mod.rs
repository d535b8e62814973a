//! Time keys: calendar periods as absolute numbers, and how periods of different length contain each other.

mod calendar;
mod clock;
mod instants;
mod space;
mod text;
mod zone;

pub use calendar::Granularity;
pub use space::TimeSpace;
pub use zone::Zone;

#[cfg(test)]
mod tests;
