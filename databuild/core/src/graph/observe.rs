//! How the data versions of an external dataset are found out, where it is not by the file at its `path`.
//!
//! What is written is checked here, once: whoever observes has a pattern, a URL or a program that makes sense.

use super::check::check_holes;
use super::file::{DatasetEntry, ObserveEntry};
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::program::Program;
use super::{Dataset, Graph, Observe, Observer};
use crate::partition_set::PartitionKey;
use crate::symbols::Symbols;
use crate::template::Template;
use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};
use std::time::Duration;

/// Longest time limit of an observation: an hour. Whoever wants something waits for it.
pub const MOST_OBSERVE_MS: u64 = 3_600_000;

/// Characters that mean something in a URL, or cannot stand in one.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Resolves what a dataset says of its observation.
pub(super) fn resolve_observe(
    entry: &DatasetEntry,
    dims: &[String],
    problems: &mut Problems,
) -> Option<Observe> {
    let observe = entry.observe.as_ref()?;
    let before = problems.len();
    let mut problem = |message: &str, help: &str| {
        let message = format!("observe of `{}`: {message}", entry.name);
        problems.rule(GraphProblem::new(Code::BadObserver, &entry.label, message, help));
    };
    if !entry.external {
        problem("only external data is observed", "write `external = True`, or leave `observe` out");
    }
    let timeout_ms = match observe {
        ObserveEntry::Glob { .. } => None,
        ObserveEntry::Http { timeout_ms, .. } => Some(*timeout_ms),
        ObserveEntry::Program(observer) => Some(observer.program.timeout_ms.unwrap_or(0)),
    };
    if let Some(timeout_ms) = timeout_ms {
        if !(1..=MOST_OBSERVE_MS).contains(&timeout_ms) {
            problem(
                "the timeout is no time to wait",
                "write a timeout of at least \"1ms\" and at most \"1h\"",
            );
        }
    }
    let found = match observe {
        ObserveEntry::Glob { pattern } => {
            if entry.path.is_some() {
                problem("a partition's files are what the pattern matches", "leave `path` out");
            }
            if let Some((message, help)) = pattern_fault(pattern) {
                problem(message, help);
            }
            let pattern = check_holes("pattern", pattern, dims, entry, problems)?;
            Observe::Glob { pattern }
        }
        ObserveEntry::Http { url, timeout_ms, every_ms } => {
            if let Some((message, help)) = url_fault(url) {
                problem(message, help);
            }
            let url = check_holes("URL", url, dims, entry, problems)?;
            Observe::Http {
                url,
                timeout: Duration::from_millis(*timeout_ms),
                every: Duration::from_millis(*every_ms),
            }
        }
        ObserveEntry::Program(observer) => {
            let args = observer.program.args.iter().map(|text| Template::literal(text)).collect();
            Observe::Program(Box::new(Observer {
                label: observer.label.clone(),
                program: Program::resolve(&observer.program, args, &entry.label, problems),
                every: Duration::from_millis(observer.every_ms),
            }))
        }
    };
    (problems.len() == before).then_some(found)
}

type Fault = (&'static str, &'static str);

/// What is wrong with a pattern beside its holes.
fn pattern_fault(pattern: &str) -> Option<Fault> {
    let plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    if !pattern.strip_prefix('/').unwrap_or(pattern).split('/').all(plain) {
        return Some((
            "the pattern is not plain",
            "write a pattern relative to the workspace, without `.`, `..` and `//`",
        ));
    }
    if pattern.split('/').any(|segment| segment.contains("**") && segment != "**") {
        return Some(("`**` stands for folders", "write it between slashes, such as data/**/*.csv"));
    }
    if !pattern.split('/').all(brackets_close) {
        return Some((
            "a `[` is never closed",
            "write [abc] for one of these characters, and [[] for the bracket itself",
        ));
    }
    if pattern.ends_with("**") {
        return Some(("the pattern matches no files", "end it with a pattern of files, such as data/**/*"));
    }
    None
}

/// Whether each class of characters (`[abc]`, `[!abc]`) has an end; a bracket that comes first is one of them.
fn brackets_close(segment: &str) -> bool {
    let mut rest = segment;
    while let Some((_, class)) = rest.split_once('[') {
        let class = class.strip_prefix('!').unwrap_or(class);
        let mut chars = class.char_indices().skip(1);
        let Some((end, _)) = chars.find(|(_, c)| *c == ']') else { return false };
        rest = &class[end + 1..];
    }
    true
}

/// What is wrong with a URL beside its holes. Credentials in it would stand in the graph, in logs and in messages.
fn url_fault(url: &str) -> Option<Fault> {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return Some(("the URL is not one of HTTP", "write a URL that begins with https:// or http://"));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some((
            "the URL holds a user's name or password",
            "take it out of the URL; use observe.program with `env_inherit` where a secret is needed",
        ));
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Some(("the URL names no host", "write a URL such as https://example.com/{date}.csv"));
    }
    if !url.chars().all(|c| c.is_ascii_graphic()) || url.contains(['#', '"', '<', '>', '\\', '^', '`']) {
        return Some((
            "the URL has a character that no URL has, or a fragment",
            "leave fragments (`#`) out, and write other characters as %20 and the like",
        ));
    }
    None
}

impl Observe {
    /// An observation younger than this is believed without looking again.
    #[must_use]
    pub fn every(&self) -> Duration {
        match self {
            // Files are looked at by their marks, which costs next to nothing.
            Observe::Glob { .. } => Duration::ZERO,
            Observe::Http { every, .. } => *every,
            Observe::Program(observer) => observer.every,
        }
    }
}

impl Dataset {
    /// The pattern of one partition's files, if that is how it is observed. What keys say is meant literally.
    #[must_use]
    pub fn partition_pattern(&self, key: &PartitionKey, symbols: &Symbols) -> Option<String> {
        let Some(Observe::Glob { pattern }) = &self.observe else { return None };
        Some(self.fill(pattern, key, symbols, |text| {
            let escape = |c: char| if "*?[]".contains(c) { format!("[{c}]") } else { c.to_string() };
            text.chars().map(escape).collect()
        }))
    }

    /// The URL of one partition, if that is how it is observed. What keys say is percent-encoded.
    #[must_use]
    pub fn partition_url(&self, key: &PartitionKey, symbols: &Symbols) -> Option<String> {
        let Some(Observe::Http { url, .. }) = &self.observe else { return None };
        Some(self.fill(url, key, symbols, |text| utf8_percent_encode(&text, RESERVED).to_string()))
    }
}

impl Graph {
    /// The observers that are programs.
    pub fn observers(&self) -> impl Iterator<Item = &Observer> {
        self.datasets().filter_map(|(_, dataset)| match &dataset.observe {
            Some(Observe::Program(observer)) => Some(&**observer),
            _ => None,
        })
    }
}
