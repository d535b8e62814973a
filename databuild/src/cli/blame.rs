//! Changed source files and arguments, as `why`, `diff` and `accept` show them.

use super::output;
use crate::api::Blame;

/// Files shown of many.
const SHOWN: usize = 10;

/// A line for each of the first files, and one that counts the rest.
pub fn lines(files: &[Blame], indent: &str) -> Vec<String> {
    let line = |file: &Blame| {
        let via = if file.via.len() > 1 { format!("  ({})", file.via.join(" -> ")) } else { String::new() };
        format!("{indent}{} {}{via}", file.change, file.path)
    };
    let mut lines: Vec<String> = files.iter().take(SHOWN).map(line).collect();
    if files.len() > SHOWN {
        let more = (files.len() - SHOWN) as u64;
        lines.push(format!("{indent}and {}", output::count(more, "more file")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_files_the_first_are_named_and_the_rest_are_counted() {
        let file = |n: usize| Blame {
            path: format!("lib/f{n:02}.py"),
            owner: "//lib:lib".to_owned(),
            change: "changed".to_owned(),
            via: vec!["//jobs:a".to_owned(), "//lib:lib".to_owned()],
        };
        let files: Vec<Blame> = (0..12).map(file).collect();
        let shown = lines(&files, "  ");
        assert_eq!(shown[0], "  changed lib/f00.py  (//jobs:a -> //lib:lib)");
        assert_eq!((shown.len(), shown[10].as_str()), (11, "  and 2 more files"));
        assert_eq!(lines(&files[..11], "")[10], "and 1 more file");
        assert_eq!(lines(&files[..10], "").len(), 10);
    }
}
