//! What a request passes next.

use axum::extract::Request;
use axum::response::Response;
use std::future::Future;

/// Whoever answers a request that was let through: the next one that it passes, or its handler.
///
/// A trait of ours beside axum's type of the same name: each middleware that axum stacks clones all those below it, boxed, for
/// each request. One passes all of ours in one function.
pub(super) trait Next: Send {
    /// The answer.
    fn run(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl<N: FnOnce(Request) -> F + Send, F: Future<Output = Response> + Send> Next for N {
    fn run(self, request: Request) -> impl Future<Output = Response> + Send {
        self(request)
    }
}
