//! What is said of a code.

use super::kind::Kind;

/// A code with its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The stable code.
    pub code: &'static str,
    /// What kind of trouble it is.
    pub kind: Kind,
    /// What happened, as Markdown.
    pub cause: &'static str,
    /// What to do, as Markdown.
    pub cure: &'static str,
}
