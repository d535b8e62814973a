//! Identities of things the event log speaks of.
//!
//! Each is a newtype, so that a run's number cannot be passed where a want's is meant. The text forms
//! (`r12`, `r12-1`, `w3`) are what users see, what the API accepts and what folders are named after.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is not an identity of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct BadId {
    /// What was given.
    pub text: String,
    /// What would have been right, with an example.
    pub expected: &'static str,
}

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                // There is one text for each: `r01` is no run.
                text.strip_prefix($prefix)
                    .and_then(|digits| digits.parse().ok())
                    .map($name)
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| BadId { text: text.to_owned(), expected: $expected })
            }
        }
    };
}

numbered_id!(
    /// A want: `w3`.
    WantId,
    "w",
    "a want id such as `w3`"
);
numbered_id!(
    /// A saved plan: `p7`.
    PlanId,
    "p",
    "a plan id such as `p7`"
);
numbered_id!(
    /// A run of a job: `r12`.
    RunId,
    "r",
    "a run id such as `r12`"
);

numbered_id!(
    /// A trial: `t3`.
    TrialId,
    "t",
    "a trial id such as `t3`"
);

/// One attempt of a run: `r12-1`; numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The run.
    pub run: RunId,
    /// 1 for the first attempt.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run, self.number)
    }
}

impl FromStr for AttemptId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { text: text.to_owned(), expected: "an attempt id such as `r12-1`" };
        let (run, number) = text.split_once('-').ok_or_else(bad)?;
        let id =
            AttemptId { run: run.parse().map_err(|_| bad())?, number: number.parse().map_err(|_| bad())? };
        Some(id).filter(|id| id.to_string() == text).ok_or_else(bad)
    }
}

/// Position of an event in the log: 1 for the first, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// Later than any event: logs count in signed numbers of 64 bits.
    pub const LATEST: Seq = Seq(i64::MAX as u64);

    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Content digest of a registered graph file: 64 lower-case hex digits of its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GraphId(pub String);

impl GraphId {
    /// The digest of a graph file's bytes.
    #[must_use]
    pub fn of(content: &str) -> GraphId {
        GraphId(crate::digest::sha256_hex(content.as_bytes()))
    }

    /// The first eight digits: what people are shown.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for GraphId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_refuse_others() {
        assert_eq!("r12".parse::<RunId>().unwrap().to_string(), "r12");
        assert_eq!("r12-3".parse::<AttemptId>().unwrap().to_string(), "r12-3");
        for bad in ["", "r", "w1", "r-1", "r+1", "r1x", "r01", "r00", "R1", "r1 ", "r99999999999999999999999"]
        {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
        for bad in ["r1", "r1-", "w1-1", "r1-x", "r1-+1", "r1-01", "r01-1"] {
            assert!(bad.parse::<AttemptId>().is_err(), "{bad}");
        }
    }
}
