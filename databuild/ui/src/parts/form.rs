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

/// A button that does something. Only pages of this server know the token, so no other page can press it.
#[must_use]
pub fn act(action: &Url, csrf: &str, label: &str, primary: bool, fields: &[(&str, &str)]) -> Markup {
    html! {
        form action=(action) method="post" {
            input type="hidden" name="csrf" value=(csrf);
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class=[primary.then_some("pri")] { (label) }
        }
    }
}
