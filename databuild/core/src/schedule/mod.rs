//! When schedules fire: ticks as a function of the declaration alone. No clock, so anybody can ask for the tick after any
//! instant, and how many there are between two.
//!
//! **Every so often**: ticks are the multiples of the length since 1970-01-01T00:00:00Z.
//!
//! **Cron**: a pattern of local times in a zone, in the years 1970 to 2099. Where clocks are set, one rule holds. If none of
//! second, minute and hour begins with `*`, the time is *fixed*, and each local time of the pattern happens once: one that
//! the clock skips happens at the first instant after the gap, one that the clock shows twice happens the first time, and
//! times that fall on one instant are one tick. So `30 2 * * *` happens on every day. Otherwise it is a *wildcard*: there is
//! a tick at each instant whose local time is of the pattern. So `*/15 * * * *` happens each quarter of an hour that passes.
//! On a day that a zone left out (Samoa, 2011-12-30) fixed times fall on the first instant after it, wildcards on none.
//!
//! Invariants: matching is by sets, never by text. No cost grows with the number of ticks, and none is a search by steps in
//! time: it grows with months that are looked at and with clock changes.
//!
//! Why not a crate: `croner`, `cronexpr`, `cron` and `jiff-cron` have other rules where clocks are set or lack seconds and
//! years, and none counts ticks without listing them.

mod cron;
mod days;
mod error;
mod fields;
mod numbers;
mod parse;
mod pattern;
mod times;
mod timing;

pub use error::TimingError;
pub use timing::Timing;

#[cfg(test)]
mod tests;
