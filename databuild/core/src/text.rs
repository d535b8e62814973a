//! Texts of others in messages: shown without harm, quoted for a shell, and what there is instead of one that is not known.

/// How many names a message lists.
pub(crate) const SOME: usize = 5;

/// Whether a character shows nothing by itself and has no part in how words or emoji are written: marks of byte order,
/// of direction and of places where a line may break, fillers and tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A text from anywhere as a message shows it: what is hostile in it is escaped, and its end is cut off.
#[must_use]
pub fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let cut = text.chars().count() > MOST;
    let start: String = text.chars().take(MOST).collect();
    let more = if cut { format!("… ({} bytes)", text.len()) } else { String::new() };
    format!("{}{more}", start.escape_debug())
}

/// A text with parts from anywhere as one line: what would begin another one, or is hostile, is escaped.
#[must_use]
pub fn one_line(text: &str) -> String {
    let hostile = |c: char| c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if hostile(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// A text as one word of a shell's command line.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The first `most` of some texts, and how many more there are: `a, b and 3 more`.
pub fn first_of(texts: impl IntoIterator<Item = String>, most: usize) -> String {
    let mut texts = texts.into_iter();
    let first = texts.by_ref().take(most).collect::<Vec<_>>().join(", ");
    first + &and_more(texts.count())
}

/// What follows the first of many: ` and 3 more`; nothing if there are no more.
#[must_use]
pub fn and_more(more: usize) -> String {
    if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    }
}

/// The same as an aside, where what is said of the first goes on: ` (and 3 more)`.
#[must_use]
pub fn and_more_aside(more: usize) -> String {
    if more == 0 {
        String::new()
    } else {
        format!(" (and {more} more)")
    }
}

/// Up to five of `known` that look like `text`, the most alike first: few edits, or a common beginning
/// or end.
pub fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lower = text.to_lowercase();
    let most = if lower.len() < 2 { 0 } else { lower.len().div_ceil(3) };
    let mut scored: Vec<(usize, &str)> = Vec::new();
    for name in known {
        let other = name.to_lowercase();
        // Edit distance is quadratic in the length; what differs much in length is not alike anyway.
        if other.len().abs_diff(lower.len()) <= 3 {
            let distance = edit_distance(&lower, &other);
            if distance <= most {
                scored.push((distance, name));
                continue;
            }
        }
        if lower.len() >= 2 && (other.starts_with(&lower) || other.ends_with(&lower)) {
            scored.push((usize::MAX, name));
        }
    }
    scored.sort_unstable();
    scored.into_iter().take(SOME).map(|(_, name)| name.to_owned()).collect()
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What there is instead of something unknown, as the end of a message.
pub(crate) fn known(near: &[String], some: &[String], count: usize) -> String {
    let quote = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    if !near.is_empty() {
        return format!("did you mean {}?", quote(near).join(" or "));
    }
    match count {
        0 => "there are none".to_owned(),
        _ => format!("there are {}{}", quote(some).join(", "), and_more(count.saturating_sub(some.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_other_and_nothing_hidden() {
        let hostile = "für \"a\"\nb\r\u{85}\u{2028}\u{1b}[2J\u{202e}\t";
        let line = r#"für "a"\nb\r\u{85}\u{2028}\u{1b}[2J\u{202e}\t"#;
        assert_eq!(one_line(hostile), line);
    }

    #[test]
    fn of_many_the_first_are_named_and_the_others_counted() {
        let first = |count: usize| first_of((0..count).map(|number| number.to_string()), 2);
        assert_eq!([0, 2, 3, 9].map(first), ["", "0, 1", "0, 1 and 1 more", "0, 1 and 7 more"]);
        assert_eq!([0, 4].map(and_more_aside), ["", " (and 4 more)"]);
    }
}
