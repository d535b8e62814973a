//! Requests that named themselves.

use super::fact::Fact;
use super::origin::Origin;

/// The name that a client gave to a request, so that sending it again does nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Chosen by the client.
    pub key: String,
    /// SHA-256 over what was asked for: route and body.
    pub digest: String,
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
        format!("the request {} of {who} was answered{status}", self.request.key)
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
