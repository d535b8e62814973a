//! Names of traces and spans.
//!
//! A want is a trace; it, its runs and their attempts are spans. They are named after what they are of, so that whoever comes
//! later, be it another server, knows the names without having been told.

use databuild_core::digest::sha256_hex;
use databuild_core::ids::{AttemptId, WantId};
use jiff::Timestamp;
use std::fmt::Display;

/// The trace of a want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace(String);

impl Trace {
    /// That of a want, by its id and by when it was created, to the microsecond: other workspaces have wants of the same ids.
    #[must_use]
    pub fn of(want: WantId, created_at: Timestamp) -> Trace {
        Trace(digits(format!("databuild trace\n{want}\n{}", created_at.as_microsecond()), 32))
    }

    /// Its name: 32 hexadecimal digits.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name of the span of the want, of a run or of an attempt: 16 hexadecimal digits.
    #[must_use]
    pub fn span(&self, of: impl Display) -> String {
        digits(format!("databuild span\n{}\n{of}", self.0), 16)
    }

    /// What the process of an attempt is told, so that its own spans are below that of the attempt (`traceparent` of W3C).
    #[must_use]
    pub fn parent(&self, attempt: AttemptId) -> String {
        format!("00-{}-{}-01", self.0, self.span(attempt))
    }
}

fn digits(text: String, count: usize) -> String {
    let mut digest = sha256_hex(text.as_bytes());
    digest.truncate(count);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::ids::RunId;

    #[test]
    fn names_are_pinned_because_servers_that_follow_each_other_use_them() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let trace = Trace::of(WantId(3), at("2026-01-02T03:04:05.678901Z"));
        // Lists know times to the microsecond.
        assert_eq!(trace, Trace::of(WantId(3), at("2026-01-02T03:04:05.678901999Z")));
        assert_ne!(trace, Trace::of(WantId(4), at("2026-01-02T03:04:05.678901Z")));
        assert_ne!(trace, Trace::of(WantId(3), at("2026-01-02T03:04:05.678902Z")));
        assert_eq!(
            (trace.name(), &*trace.span(WantId(3))),
            ("2117d4b1307d5e6fa92067d77cd01ac3", "b27f8e6848787732")
        );
        let attempt = AttemptId { run: RunId(12), number: 1 };
        assert_eq!(trace.parent(attempt), "00-2117d4b1307d5e6fa92067d77cd01ac3-51c9286a6f68a76f-01");
    }
}
