//! Whether what an attempt has read was changed while it ran: it is held against what its request says of it.
//!
//! A file counts as changed if its mark is another one, also if it has the same content again: nobody can say what
//! the job has read in between. The exception is a file of several names of which only the time of change moved: jobs
//! make hard links to their inputs, and so its content decides. Of data that a server or a program has to be asked
//! about, only the version can be compared; an answer that is younger than the `every` of its dataset is believed.

use crate::attempt::request::{InputFile, Request};
use crate::publish::{self, FileState, Imprint, Since, StatMark};
use databuild_core::decide::AttemptReport;
use databuild_core::event::AttemptOutcome;
use databuild_core::text::and_more;
use std::path::PathBuf;

/// An input whose files are not as they were when its request was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) partition: String,
    /// Only the time of change moved.
    pub(crate) touched: bool,
}

/// Inputs of a request that are files and not as they were when it was written.
pub(crate) fn moved_files(request: &Request) -> Vec<Moved> {
    let mut found = Vec::new();
    let mut marked: Vec<(&InputFile, Imprint)> = Vec::new();
    let mut items: Vec<(PathBuf, StatMark)> = Vec::new();
    for file in request.inputs.values().flatten().chain(&request.discovered).filter(|file| !file.empty) {
        let since = match (file.imprint(request.changed_at), file.body(), &file.path, &file.paths) {
            (Some(then), _, Some(path), _) => {
                marked.push((file, then));
                items.push((path.clone(), then.mark));
                continue;
            }
            (Some(then), _, None, Some(paths)) => publish::files_since(paths, &then),
            // Requests of older versions have less.
            (None, Some(body), Some(path), _) => publish::body_since(path, body),
            (None, Some(body), None, Some(paths)) => publish::files_body_since(paths, body),
            _ if file.vanished() => Since::Changed,
            _ => Since::Untouched,
        };
        found.push((file, since));
    }
    let states = publish::check_files(&items, 1);
    let touched = marked.into_iter().zip(&items).zip(states).filter(|(_, state)| *state != FileState::Same);
    found.extend(touched.map(|(((file, then), (path, _)), _)| (file, publish::since(path, &then))));
    let moved = |(file, since): (&InputFile, Since)| {
        let moved = match since {
            Since::Untouched => false,
            Since::Linked => !file.holds_its_version(),
            Since::Touched | Since::Changed => true,
        };
        let touched = matches!(since, Since::Touched);
        moved.then(|| Moved { partition: file.partition.clone(), touched })
    };
    found.into_iter().filter_map(moved).collect()
}

/// What to say of an attempt whose inputs moved, if any did.
pub(crate) fn report(moved: &[Moved]) -> Option<AttemptReport> {
    let (first, more) = moved.split_first()?;
    let rest = and_more(more.len());
    let how = if first.touched {
        "was touched while it ran: its size and time of modification are as before, but something wrote to it and put \
         the time back, changed its mode or owner, or made and removed a link to it"
    } else {
        "was changed while it ran"
    };
    let message = format!("its input {}{rest} {how}", first.partition);
    Some(AttemptReport::new(AttemptOutcome::InputsMoved, message))
}
