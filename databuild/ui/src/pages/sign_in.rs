//! How a browser gets in.

use crate::layout::alone;
use maud::{html, Markup};

/// What somebody sees who is not signed in.
#[must_use]
pub fn page(message: &str) -> Markup {
    alone(
        "Sign in",
        &html! {
            h1 { "Sign in from a terminal" }
            p { (message) }
            p { "In the workspace, run" }
            pre { "bazel run //:databuild -- ui" }
            p { "It opens these pages by a link that is good once, for one minute. The browser stays signed in for 30 days, or until the server\u{2019}s token changes." }
            p { "If you have just signed in, " a href="/" { "go on" } "." }
        },
    )
}
