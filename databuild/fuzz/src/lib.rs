//! Random changes to real inputs, for tests of what reads them.
//!
//! [`fuzz`] changes seeds at random for two seconds, or for as many as the variable `FUZZ_SECONDS` says, and holds a
//! property on each. Which changes are made follows from a number, which is the same each time unless `FUZZ_SECONDS` is set;
//! how far it comes depends on the machine. What fails is made as small as possible and printed as a Rust literal, ready to
//! become a seed.
//!
//! Invariants:
//! - An input has at most [`MOST_BYTES`].
//! - A property that panics, takes more than five seconds of CPU or 256 MiB of memory fails; memory counts where the test's
//!   allocator is [`Counting`].

mod allocator;
mod change;
mod watch;

pub use allocator::Counting;

use allocator::Cost;
use change::{changed, changes};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest input.
pub const MOST_BYTES: usize = 64 << 10;
/// What one input may take. Generous: tests are not optimized.
const MOST: Cost = Cost { time: Duration::from_secs(5), memory: 256 << 20 };

/// Inputs between two looks at the clock.
const AT_ONCE: u32 = 64;

/// Holds a property on random changes of `seeds`. `words` are what the format is made of, and are put in as they are.
///
/// # Panics
/// The property failed. The message has the smallest input found for which it does.
pub fn fuzz(seeds: &[&[u8]], words: &[&str], property: impl Fn(&[u8])) {
    fuzz_within(MOST, seeds, words, property);
}

fn fuzz_within(most: Cost, seeds: &[&[u8]], words: &[&str], property: impl Fn(&[u8])) {
    let (time, first) = match std::env::var("FUZZ_SECONDS") {
        Ok(seconds) => {
            let seconds = seconds.parse().expect("FUZZ_SECONDS is a number of seconds");
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
            (Duration::from_secs(seconds), now as u64)
        }
        Err(_) => (Duration::from_secs(2), 0),
    };
    let longest = seeds.iter().map(|seed| seed.len()).max().unwrap_or(0);
    assert!(longest <= MOST_BYTES, "a seed is longer than an input may be");
    let watch = watch::Watch::new();
    let held = |input: &[u8]| {
        watch.begin(input);
        let cost = allocator::cost_of(|| property(input));
        watch.end();
        assert!(cost.time <= most.time, "it takes {:?} of CPU", cost.time);
        assert!(cost.memory <= most.memory, "it takes {} bytes of memory", cost.memory);
    };
    for seed in seeds {
        held(seed);
    }
    let strategy = changes(seeds.len(), words.len());
    let (begun, mut done) = (Instant::now(), 0u64);
    while begun.elapsed() < time {
        let mut random = [0; 32];
        random[..8].copy_from_slice(&first.to_le_bytes());
        random[8..16].copy_from_slice(&done.to_le_bytes());
        let config = Config { cases: AT_ONCE, failure_persistence: None, ..Config::default() };
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &random);
        let silence = Silence::default();
        let result = TestRunner::new_with_rng(config, random).run(&strategy, |changes| {
            let input = changed(&changes, seeds, words);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| held(&input))).map_err(|panic| {
                silence.begin();
                TestCaseError::fail(format!("{} for\n{}", said(&*panic), literal(&input)))
            })
        });
        drop(silence);
        if let Err(error) = result {
            panic!("{error}");
        }
        done += u64::from(AT_ONCE);
    }
    println!("{done} inputs in {:?}", begun.elapsed());
}

/// Keeps panics from being told, as there are many while an input is made small. The first is told.
#[derive(Default)]
struct Silence {
    before: Cell<Option<Hook>>,
}

type Hook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send>;

impl Silence {
    fn begin(&self) {
        let before = self.before.take().unwrap_or_else(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            before
        });
        self.before.set(Some(before));
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            std::panic::set_hook(before);
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "it panics".to_owned(),
    }
}

/// An input as it would be written in Rust.
fn literal(input: &[u8]) -> String {
    format!("b\"{}\"", input.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_found_and_made_small() {
        let found = std::panic::catch_unwind(|| {
            fuzz(&[b"a=1,b=2,c=3"], &["bad"], |input| {
                assert!(!input.windows(3).any(|window| window == b"bad"), "it has a bad word");
            });
        });
        let message = said(&*found.unwrap_err());
        assert!(message.contains("it has a bad word for\nb\""), "{message}");
        assert_eq!(message.matches("word: 0").count(), 1, "{message}");
    }

    #[test]
    fn inputs_that_take_much_fail() {
        let most = Cost { time: Duration::from_millis(20), memory: 1 << 20 };
        let found = |property: fn()| {
            let result = std::panic::catch_unwind(|| fuzz_within(most, &[b"seed"], &[], |_| property()));
            said(&*result.unwrap_err())
        };
        let slow = found(|| {
            let begun = allocator::cpu_time();
            while allocator::cpu_time() - begun < Duration::from_millis(30) {}
        });
        assert!(slow.contains("of CPU"), "{slow}");
        let large = found(|| drop(std::hint::black_box(vec![1u8; 2 << 20])));
        assert!(large.contains("bytes of memory"), "{large}");
    }

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;
}
