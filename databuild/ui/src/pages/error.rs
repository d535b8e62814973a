//! Errors: what happened, what to do, and the way back.

use crate::api::ErrorBody;
use crate::layout::alone;
use maud::{html, Markup};

/// The page of an error of the API. `cure` is what the catalog of codes says to do.
#[must_use]
pub fn page(error: &ErrorBody, status: u16, cure: &str) -> Markup {
    let title = match status {
        404 => "There is no such thing",
        401 | 403 => "This is not allowed",
        409 => "This cannot be done now",
        410 => "This is gone",
        503 => "The server is busy",
        400..=499 => "This cannot be done",
        _ => "Something went wrong",
    };
    alone(
        title,
        &html! {
            h1 { (title) }
            p { (ticks(&error.message)) }
            @if !cure.is_empty() { p { (ticks(cure)) } }
            p { a href="/" { "To what goes on now" } " or back with your browser." }
            p { code { (error.error) } " \u{b7} " code { "databuild explain " (error.error) } " says more." }
        },
    )
}

/// A text whose code stands between backticks.
fn ticks(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_and_what_to_do() {
        let error = ErrorBody {
            error: "run_not_found".to_owned(),
            message: "there is no run `<r9>`".to_owned(),
            ..ErrorBody::default()
        };
        let page = page(&error, 404, "List them with `databuild runs`.").into_string();
        for part in [
            "there is no run <code>&lt;r9&gt;</code>",
            "<code>databuild runs</code>",
            "databuild explain run_not_found",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
