//! Choices that follow from a seed.

use databuild_core::digest::mix;

/// A stream of numbers that is the same for the same seed everywhere.
#[derive(Debug, Clone)]
pub struct Rng {
    seed: u64,
    at: u64,
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng { seed: mix(seed, 0x5eed), at: 0 }
    }

    pub fn next(&mut self) -> u64 {
        self.at += 1;
        mix(self.seed, self.at)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// The seeds of a test: `count` of them from 0 on. `SEEDS` in the environment gives another number, `SEED` alone a
/// single one, and both that many from that one on.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), many) => seed..seed + many.unwrap_or(1),
        (None, many) => 0..many.unwrap_or(count),
    }
}

/// Whether one seed runs alone, so that somebody wants to know where exactly it goes wrong.
pub fn alone() -> bool {
    number("SEED").is_some() && number("SEEDS").is_none()
}

/// How long a story is; `STEPS` in the environment gives another length.
pub fn steps(usual: usize) -> usize {
    number("STEPS").and_then(|steps| usize::try_from(steps).ok()).unwrap_or(usual)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
