//! Names of things, as links.

use crate::links;
/// `1 partition`, `1,095 partitions`.
pub use databuild_core::amounts::count as many;
use databuild_core::amounts::number;
use maud::{html, Markup};

/// A run.
#[must_use]
pub fn run(id: &str) -> Markup {
    html! { a.m href=(links::run(id)) { (id) } }
}

/// A want.
#[must_use]
pub fn want(id: &str) -> Markup {
    html! { a.m href=(links::want(id)) { (id) } }
}

/// Wants, one beside the other.
#[must_use]
pub fn wants(ids: &[String]) -> Markup {
    html! { @for (at, id) in ids.iter().enumerate() { @if at > 0 { " " } (want(id)) } }
}

/// A job: its runs.
#[must_use]
pub fn job(label: &str) -> Markup {
    html! { a.m href=(links::runs().with("job", label)) { (label) } }
}

/// A dataset.
#[must_use]
pub fn dataset(name: &str) -> Markup {
    html! { a href=(links::dataset(name)) { (name) } }
}

/// Partitions.
#[must_use]
pub fn partitions(reference: &str, count: u64) -> Markup {
    html! { a href=(links::reference(reference, count)) { (breakable(reference)) } }
}

/// A text that may be broken where its parts meet.
#[must_use]
pub fn breakable(text: &str) -> Markup {
    html! { @for (at, part) in text.split('/').enumerate() { @if at > 0 { "/" wbr; } (part) } }
}

/// A number as a link to what it counts.
#[must_use]
pub fn counted(count: u64, url: &links::Url) -> Markup {
    html! { a href=(url) { (number(count)) } }
}

/// The first digits of a digest; all of it shows when somebody points at it.
#[must_use]
pub fn digest(digest: &str) -> Markup {
    let digits = digest.rsplit(':').next().unwrap_or(digest);
    html! { code title=(digest) { (digits.get(..12).unwrap_or(digits)) } }
}

/// A message, in which runs, their attempts and wants are links.
#[must_use]
pub fn because(message: &str) -> Markup {
    let word = |word: &str| {
        let id = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
        let link = match id.split_at_checked(1) {
            Some(("r", rest)) if digits(rest) => Some(links::run(id)),
            Some(("r", rest)) => rest
                .split_once('-')
                .filter(|(run, number)| digits(run) && digits(number))
                .map(|(run, number)| links::run(&format!("r{run}")).with("attempt", number)),
            Some(("w", rest)) if digits(rest) => Some(links::want(id)),
            _ => None,
        };
        match (link, word.split_once(id)) {
            (Some(url), Some((before, after))) => html! { (before) a.m href=(url) { (id) } (after) },
            _ => html! { (word) },
        }
    };
    html! { @for (at, part) in message.split(' ').enumerate() { @if at > 0 { " " } (word(part)) } }
}
