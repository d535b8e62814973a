//! Names of requests.

/// The name that a client gave to a request, so that sending it again does nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Chosen by the client.
    pub key: String,
    /// SHA-256 over what was asked for: route and body.
    pub digest: String,
}
