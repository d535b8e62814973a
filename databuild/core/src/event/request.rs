//! Requests that named themselves.

use super::fact::Fact;
use super::origin::Origin;

/// Parts the name of a token from the key that its holder chose. Neither has it, since both are printable.
const OF_TOKEN: char = '\u{1f}';

/// The name that a client gave to a request, so that sending it again does nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Chosen by the client; after the name of its token, if that is not the owner's. So nobody's keys are another's.
    pub key: String,
    /// SHA-256 over what was asked for: route and body.
    pub digest: String,
}

impl RequestKey {
    /// That of a request which the holder of a token sends; the owner, if there is none.
    #[must_use]
    pub fn of(token: Option<&str>, said: &str, digest: String) -> RequestKey {
        let key = match token {
            Some(token) => format!("{token}{OF_TOKEN}{said}"),
            None => said.to_owned(),
        };
        RequestKey { key, digest }
    }

    /// What the client chose.
    #[must_use]
    pub fn said(&self) -> &str {
        self.key.split_once(OF_TOKEN).map_or(&self.key, |(_, said)| said)
    }
}

/// See [`super::Event::RequestAnswered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAnswered {
    /// Its name.
    pub request: RequestKey,
    /// What whoever sends it again is told; if none, that is worked out anew.
    pub answer: Option<KeptAnswer>,
}

/// An answer that is told again. It has no secrets: the log has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// As HTTP has it.
    pub status: u16,
    /// What kind of text it is, as HTTP has it; empty if it has none.
    pub content_type: String,
    /// Where what was made is; may be empty.
    pub location: String,
    /// The text.
    pub body: String,
}

impl Fact for RequestAnswered {
    fn text(&self, who: &Origin) -> String {
        let status =
            self.answer.as_ref().map(|answer| format!(" with {}", answer.status)).unwrap_or_default();
        format!("the request {} of {who} was answered{status}", self.request.said())
    }

    fn example() -> RequestAnswered {
        RequestAnswered {
            request: RequestKey { key: "nightly taint".into(), digest: "3c".into() },
            answer: Some(KeptAnswer {
                status: 201,
                content_type: "application/json".into(),
                location: "/api/v1/tokens/dashboard".into(),
                body: r#"{"name":"dashboard"}"#.into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_whoever_sends_it() {
        let of = |token: Option<&str>| RequestKey::of(token, "nightly 7", String::new());
        let all = [of(None), of(Some("ci")), of(Some("etl"))];
        assert!(all.iter().all(|key| key.said() == "nightly 7"), "{all:?}");
        let keys: std::collections::BTreeSet<&str> = all.iter().map(|key| key.key.as_str()).collect();
        assert_eq!(keys.len(), all.len());
    }
}
