//! Tables and where they go on.

use crate::links::Url;
use maud::{html, Markup};

/// The head of a column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What it is called.
    pub name: &'static str,
    /// Classes of its cells: `num` for numbers, `opt` for what a phone leaves out.
    pub class: &'static str,
}

/// A column.
#[must_use]
pub const fn column(name: &'static str, class: &'static str) -> Column {
    Column { name, class }
}

/// A table with rows that are written as `tr`.
#[must_use]
pub fn table(columns: &[Column], rows: &Markup) -> Markup {
    html! {
        table {
            thead { tr { @for Column { name, class } in columns { th scope="col" class=[(!class.is_empty()).then_some(class)] { (name) } } } }
            tbody { (rows) }
        }
    }
}

/// Where a list goes on, or begins again.
#[must_use]
pub fn paging(url: &Url, is_first: bool, next: Option<&str>) -> Markup {
    if is_first && next.is_none() {
        return html! {};
    }
    html! {
        div.paging {
            @if !is_first { a href=(url.clone().without("cursor")) rel="first" { "First page" } }
            @match next {
                Some(next) => a href=(url.clone().with("cursor", next)) rel="next" { "Next page" },
                None => span { "This is the last page." },
            }
        }
    }
}
