//! The yardstick of `tools/bench` for a look at many files: `statx` of each, and nothing else.
//!
//! `stat_loop THREADS` reads paths from stdin, one a line, and looks at each by its whole path, shared out among so many
//! threads.

use rustix::fs::{statx, AtFlags, StatxFlags, CWD};
use std::io::Read as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let threads = std::env::args().nth(1).and_then(|count| count.parse::<usize>().ok());
    let mut text = String::new();
    let (Some(threads @ 1..), Ok(_)) = (threads, std::io::stdin().read_to_string(&mut text)) else {
        eprintln!("usage: stat_loop THREADS < PATHS");
        return ExitCode::from(2);
    };
    let paths: Vec<&str> = text.lines().collect();
    let missing: usize = std::thread::scope(|scope| {
        let looks: Vec<_> = paths
            .chunks(paths.len().div_ceil(threads).max(1))
            .map(|chunk| scope.spawn(move || chunk.iter().filter(|path| !is_there(path)).count()))
            .collect();
        looks.into_iter().map(|look| look.join().unwrap_or(1)).sum()
    });
    if missing > 0 {
        eprintln!("{missing} of {} files are missing", paths.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn is_there(path: &str) -> bool {
    let wanted = StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::INO | StatxFlags::TYPE;
    statx(CWD, path, AtFlags::empty(), wanted).is_ok()
}
