//! Forms: those that filter a list, whose fields are in its address, and those that act.

use crate::links::Url;
use maud::{html, Markup};

/// A choice of words; the first one, which is empty, stands for any.
#[must_use]
pub fn choice(label: &str, name: &str, any: &str, words: &[(String, String)], chosen: &str) -> Markup {
    html! {
        label {
            (label)
            select name=(name) {
                option value="" { (any) }
                @for (word, text) in words { option value=(word) selected[word == chosen] { (text) } }
            }
        }
    }
}

/// A text.
#[must_use]
pub fn text(label: &str, name: &str, value: &str, placeholder: &str) -> Markup {
    html! { label.wide { (label) input type="search" name=(name) value=(value) placeholder=(placeholder) autocomplete="off" spellcheck="false"; } }
}

/// A short text, such as an id.
#[must_use]
pub fn id(label: &str, name: &str, value: &str, placeholder: &str) -> Markup {
    html! { label { (label) input.id type="search" name=(name) value=(value) placeholder=(placeholder) autocomplete="off" spellcheck="false"; } }
}

/// A form that leads to the same page with other parameters. `kept` has those that no field names.
#[must_use]
pub fn filter(kept: &Url, fields: &Markup) -> Markup {
    html! {
        form.filter action=(kept.path()) method="get" aria-label="What is shown" data-filter {
            @for (name, value) in kept.parameters() { input type="hidden" name=(name) value=(value); }
            (fields)
            button { "Show" }
        }
    }
}

/// Whether whoever looks at a page may do what one of its forms does.
#[derive(Debug, Clone, Copy)]
pub enum May<'a> {
    /// Yes. The form sends this along, which only pages of this server know, so that no other page can send it.
    Do(&'a str),
    /// Their token lacks this scope.
    Lack(&'static str),
}

impl May<'_> {
    /// What a form sends along.
    #[must_use]
    pub fn sent(self) -> Markup {
        html! { @if let May::Do(csrf) = self { input type="hidden" name="csrf" value=(csrf); } }
    }

    /// The button of a form, or why it cannot be pressed.
    #[must_use]
    pub fn button(self, label: &str, primary: bool) -> Markup {
        let class = primary.then_some("pri");
        html! {
            @match self {
                May::Do(_) => button class=[class] { (label) },
                May::Lack(scope) => { button disabled { (label) } " " span.soft { "needs a token with the scope " code { (scope) } } },
            }
        }
    }

    /// A link to the page that says what an action would do.
    #[must_use]
    pub fn lead(self, url: &Url, label: &str, primary: bool) -> Markup {
        let class = if primary { "btn pri" } else { "btn" };
        html! {
            @match self {
                May::Do(_) => a class=(class) href=(url) { (label) " \u{2026}" },
                May::Lack(_) => (self.button(label, primary)),
            }
        }
    }
}

/// A button that does something.
#[must_use]
pub fn act(action: &Url, may: May<'_>, label: &str, primary: bool, fields: &[(&str, &str)]) -> Markup {
    html! {
        form action=(action) method="post" {
            (may.sent())
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            (may.button(label, primary))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_is_not_for_cannot_be_pressed_and_says_why() {
        let url = Url::new("/plans");
        let given = act(&url, May::Do("s3"), "Plan it", false, &[]).into_string();
        assert!(
            given.contains("name=\"csrf\" value=\"s3\"") && given.contains("<button>Plan it</button>"),
            "{given}"
        );
        let lacking = act(&url, May::Lack("want"), "Plan it", false, &[]).into_string();
        assert!(lacking.contains("<button disabled>Plan it</button>"), "{lacking}");
        assert!(lacking.contains("needs a token with the scope <code>want</code>"), "{lacking}");
        assert!(!lacking.contains("csrf"), "{lacking}");
        assert!(!May::Lack("operate").lead(&url, "Cancel", false).into_string().contains("href"));
    }
}
