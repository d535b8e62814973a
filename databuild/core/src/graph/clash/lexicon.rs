//! Which texts the keys of a dimension are, read from left to right.

use crate::keys::{key_fault, KeySpace};
use crate::range_set::Key;
use crate::symbols::Symbols;
use crate::time::{Granularity, TimeSpace};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The texts of one dimension's keys.
pub(super) enum Lexicon<'a> {
    /// These, sorted.
    Listed(Vec<&'a str>),
    /// Periods of a space, up to a last one.
    Time(&'a TimeSpace, Key),
    /// Whatever a key may be.
    Any,
    /// Forms, sorted, in which a `0` stands for any digit.
    Forms(&'static [&'static str]),
}

/// How a key's text may go on after some beginning.
pub(super) struct Onward {
    /// The beginning is a key's text by itself.
    pub complete: bool,
    /// What may follow.
    pub chars: Chars,
}

/// A set of characters.
pub(super) enum Chars {
    /// Exactly these, in ascending order.
    These(Vec<char>),
    /// All that may follow this beginning in a dynamic key.
    After(String),
}

impl Chars {
    pub fn contains(&self, c: char) -> bool {
        match self {
            Chars::These(all) => all.contains(&c),
            Chars::After(beginning) => key_fault(&format!("{beginning}{c}")).is_none(),
        }
    }
}

/// Texts of a day's hours: characters of the date.
const DATE: usize = 10;

impl<'a> Lexicon<'a> {
    pub fn of(space: &'a KeySpace, symbols: &'a Symbols) -> Lexicon<'a> {
        match space {
            KeySpace::Static(keys, _) => {
                let mut texts: Vec<&str> = keys.iter().map(|key| symbols.text(*key)).collect();
                texts.sort_unstable();
                Lexicon::Listed(texts)
            }
            KeySpace::Dynamic(_) => Lexicon::Any,
            KeySpace::Time(space) => {
                let written = |key: Key| !space.format_key(key).starts_with('#');
                let last = space.end().unwrap_or(Key::MAX);
                let beyond = first_from(space.start(), last.saturating_add(1), |key| !written(key));
                Lexicon::Time(space, beyond.saturating_sub(1))
            }
        }
    }

    /// The same or more texts, told by fewer beginnings: of time keys only how they are written.
    pub fn coarse(&self) -> Lexicon<'a> {
        match self {
            Lexicon::Listed(texts) => Lexicon::Listed(texts.clone()),
            Lexicon::Any => Lexicon::Any,
            Lexicon::Forms(forms) => Lexicon::Forms(forms),
            Lexicon::Time(space, _) => Lexicon::Forms(match space.granularity() {
                Granularity::Year => &["0000"],
                Granularity::Month => &["0000-00"],
                Granularity::Week => &["0000-W00"],
                Granularity::Day => &["0000-00-00"],
                Granularity::Hour => &HOURS,
            }),
        }
    }

    /// Some text of it.
    pub fn example(&self) -> String {
        match self {
            Lexicon::Listed(texts) => texts.first().map_or_else(String::new, |text| (*text).to_owned()),
            Lexicon::Time(space, _) => space.format_key(space.start()),
            Lexicon::Forms(forms) => forms[0].to_owned(),
            Lexicon::Any => "x".to_owned(),
        }
    }

    pub fn contains(&self, text: &str) -> bool {
        match self {
            Lexicon::Listed(texts) => texts.binary_search(&text).is_ok(),
            Lexicon::Any => key_fault(text).is_none(),
            Lexicon::Forms(forms) => forms.contains(&text),
            Lexicon::Time(space, _) => space.parse_key(text).is_ok_and(|key| space.format_key(key) == text),
        }
    }

    /// How a text that begins with `read` goes on. What [`Lexicon::seen`] makes of `read` gives the same.
    pub fn onward(&self, read: &str) -> Onward {
        match self {
            Lexicon::Any => Onward { complete: !read.is_empty(), chars: Chars::After(read.to_owned()) },
            Lexicon::Listed(texts) => {
                sorted(0, texts.len() as Key, |i| Cow::Borrowed(texts[i as usize]), read)
            }
            Lexicon::Forms(forms) => {
                let mut onward = sorted(0, forms.len() as Key, |i| Cow::Borrowed(forms[i as usize]), read);
                if let Chars::These(chars) = &mut onward.chars {
                    if chars.contains(&'0') {
                        chars.extend('1'..='9');
                        chars.sort_unstable();
                    }
                }
                onward
            }
            Lexicon::Time(space, last) => {
                let text = |key: Key| space.format_key(key);
                let end = last.saturating_add(1);
                if space.granularity() != Granularity::Hour {
                    return sorted(space.start(), end, |key| Cow::Owned(text(key)), read);
                }
                // Hours go back where clocks do, and dates where clocks are set back over midnight.
                let date = |key: Key| text(key).chars().take(DATE).collect::<String>();
                if read.len() < DATE {
                    return sorted(space.start(), end, |key| Cow::Owned(date(key)), read);
                }
                let from = first_from(space.start(), end, |key| date(key).as_str() >= &read[..DATE]);
                let from = from.saturating_sub(DAY).max(space.start());
                let hours = (from..end.min(from.saturating_add(3 * DAY))).map(text);
                let rests: Vec<_> =
                    hours.filter_map(|hour| Some(hour.strip_prefix(read)?.to_owned())).collect();
                let chars: BTreeSet<char> = rests.iter().filter_map(|rest| rest.chars().next()).collect();
                Onward {
                    complete: rests.iter().any(String::is_empty),
                    chars: Chars::These(chars.into_iter().collect()),
                }
            }
        }
    }

    /// What has to be kept of what was read.
    pub fn seen(&self, read: &mut String) {
        match self {
            Lexicon::Any => *read = if read.ends_with('.') { "x." } else { "x" }.to_owned(),
            Lexicon::Forms(_) => {
                *read = read.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            }
            Lexicon::Listed(_) | Lexicon::Time(..) => {}
        }
    }
}

/// How hours are written: with the offset from UTC where several have one label.
const HOURS: [&str; 5] = [
    "0000-00-00T00",
    "0000-00-00T00+00:00",
    "0000-00-00T00+00:00:00",
    "0000-00-00T00-00:00",
    "0000-00-00T00-00:00:00",
];

/// More hours than a day has, even one that a zone had twice.
const DAY: Key = 50;

/// The first number from `lo` on, before `hi`, for which something holds that holds for all after it; `hi` if none.
fn first_from(lo: Key, hi: Key, holds: impl Fn(Key) -> bool) -> Key {
    let (mut lo, mut hi) = (lo, hi);
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if holds(middle) {
            hi = middle;
        } else {
            lo = middle + 1;
        }
    }
    lo
}

/// Of ascending texts, numbered from `start` up to before `end`.
fn sorted<'t>(start: Key, end: Key, text: impl Fn(Key) -> Cow<'t, str>, read: &str) -> Onward {
    let mut onward = Onward { complete: false, chars: Chars::These(Vec::new()) };
    let mut chars = Vec::new();
    let mut at = first_from(start, end, |key| *text(key) >= *read);
    while at < end {
        let here = text(at);
        let Some(rest) = here.strip_prefix(read) else { break };
        match rest.chars().next() {
            None => {
                onward.complete = true;
                at += 1;
            }
            Some(c) => {
                chars.push(c);
                let beginning = format!("{read}{c}");
                at = first_from(at, end, |key| !text(key).starts_with(&beginning));
            }
        }
    }
    onward.chars = Chars::These(chars);
    onward
}
