//! Addresses of pages. The address of a page says all that it shows, so that it can be sent to somebody else.

use percent_encoding::{utf8_percent_encode, AsciiSet, CONTROLS};
use std::fmt;

/// What cannot stand in a value of a query as it is. References stay readable.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'\'')
    .add(b'<')
    .add(b'>')
    .add(b'\\');
/// What cannot stand in a path as it is.
const PATH: &AsciiSet = &QUERY.add(b'?').add(b'`').add(b'{').add(b'}').add(b';');

/// A path with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    path: String,
    query: Vec<(String, String)>,
}

impl Url {
    /// That of a path, whose special characters are encoded.
    #[must_use]
    pub fn new(path: &str) -> Url {
        Url { path: utf8_percent_encode(path, PATH).to_string(), query: Vec::new() }
    }

    /// The same with another value of a parameter; an empty one is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Url {
        self.query.retain(|(other, _)| other != name);
        let value = value.to_string();
        if !value.is_empty() {
            self.query.push((name.to_owned(), value));
        }
        self
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without(mut self, name: &str) -> Url {
        self.query.retain(|(other, _)| other != name);
        self
    }

    /// Its parameters, for the hidden fields of a form.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        for (at, (name, value)) in self.query.iter().enumerate() {
            let parting = if at == 0 { '?' } else { '&' };
            let encoded = utf8_percent_encode(value, QUERY);
            write!(f, "{parting}{}={encoded}", utf8_percent_encode(name, QUERY))?;
        }
        Ok(())
    }
}

/// A run's page.
#[must_use]
pub fn run(id: &str) -> Url {
    Url::new(&format!("/runs/{id}"))
}

/// Runs.
#[must_use]
pub fn runs() -> Url {
    Url::new("/runs")
}

/// A want's page.
#[must_use]
pub fn want(id: &str) -> Url {
    Url::new(&format!("/wants/{id}"))
}

/// Wants.
#[must_use]
pub fn wants() -> Url {
    Url::new("/wants")
}

/// A dataset's page. Its name may have slashes.
#[must_use]
pub fn dataset(name: &str) -> Url {
    Url::new(&format!("/datasets/{name}"))
}

/// Partitions of a reference, as a list.
#[must_use]
pub fn partitions(reference: &str) -> Url {
    Url::new("/partitions").with("ref", reference)
}

/// The graph, drawn.
#[must_use]
pub fn graph() -> Url {
    Url::new("/graph")
}

/// A partition's page.
#[must_use]
pub fn partition(reference: &str) -> Url {
    Url::new("/partition").with("ref", reference)
}

/// The page of one partition, or of the set that a reference means: a list, where it may be several.
#[must_use]
pub fn reference(text: &str, count: u64) -> Url {
    if count == 1 {
        partition(text)
    } else {
        partitions(text)
    }
}

/// Graphs that were registered.
#[must_use]
pub fn changes() -> Url {
    Url::new("/changes")
}

/// The page of a graph, by the number of its registration.
#[must_use]
pub fn change(number: u64) -> Url {
    Url::new(&format!("/changes/{number}"))
}

/// Checks, and what they found.
#[must_use]
pub fn checks() -> Url {
    Url::new("/checks")
}

/// Two runs side by side.
#[must_use]
pub fn compare() -> Url {
    Url::new("/compare")
}

/// The event log.
#[must_use]
pub fn events() -> Url {
    Url::new("/events")
}

/// An event's page.
#[must_use]
pub fn event(seq: u64) -> Url {
    Url::new(&format!("/events/{seq}"))
}

/// A plan's page.
#[must_use]
pub fn plan(id: &str) -> Url {
    Url::new(&format!("/plans/{id}"))
}

/// What begins next.
#[must_use]
pub fn queue() -> Url {
    Url::new("/queue")
}

/// What starts by itself.
#[must_use]
pub fn automation() -> Url {
    Url::new("/automation")
}

/// A schedule.
#[must_use]
pub fn schedule(name: &str) -> Url {
    Url::new(&format!("/automation/{name}"))
}

/// Attempts on an axis of time.
#[must_use]
pub fn timeline() -> Url {
    Url::new("/timeline")
}

/// The server.
#[must_use]
pub fn server() -> Url {
    Url::new("/server")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_was_asked_for() {
        let url = Url::new("/runs").with("state", "failed").with("job", "//a:b c&d").with("cursor", "");
        assert_eq!(url.to_string(), "/runs?state=failed&job=//a:b%20c%26d");
        assert_eq!(url.clone().with("state", "x").to_string(), "/runs?job=//a:b%20c%26d&state=x");
        assert_eq!(url.without("job").to_string(), "/runs?state=failed");
        assert_eq!(dataset("sales/a?b#c").to_string(), "/datasets/sales/a%3Fb%23c");
        let reference = "temps/city=s\u{e9}oul/date=2010-01-01..2010-01-31";
        assert_eq!(
            partition(reference).to_string(),
            "/partition?ref=temps/city=s%C3%A9oul/date=2010-01-01..2010-01-31"
        );
    }
}
