//! What an action would do, before it is done.

use crate::layout::{Page, Part, Place, Width};
use crate::links::Url;
use crate::parts::form::{act, May};
use maud::{html, Markup};

/// An action that somebody is about to take.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// Where it belongs.
    pub place: Place,
    /// As a question: `Cancel w3?`.
    pub question: String,
    /// What follows, in sentences.
    pub follows: Vec<String>,
    /// What the button says.
    pub label: &'a str,
    /// Where the form is sent.
    pub action: Url,
    /// What is sent along.
    pub fields: Vec<(&'a str, &'a str)>,
    /// Where one goes who does not.
    pub back: Url,
    /// The command that does the same.
    pub command: String,
}

/// The page.
#[must_use]
pub fn page(ask: &Ask<'_>, may: May<'_>) -> Page {
    let lead: Markup = html! { h1 { (ask.question) } };
    let content = html! {
        div.pad { @for sentence in &ask.follows { p { (sentence) } } }
        div.acts {
            (act(&ask.action, may, ask.label, true, &ask.fields))
            a.btn href=(ask.back) { "Leave it as it is" }
        }
    };
    Page::new(ask.question.clone(), ask.place, &[], lead)
        .part(Part { id: "ask", width: Width::Wide, of: Vec::new(), card: true, content })
        .command(ask.command.clone())
}
