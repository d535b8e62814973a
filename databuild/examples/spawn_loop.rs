//! The yardstick of `tools/bench`: starts a program many times, a few at once, and does nothing else.
//!
//! `spawn_loop PROGRAM FOLDER COUNT AT_ONCE` runs `PROGRAM FOLDER/<n>` for each n. The standard library starts
//! it by posix_spawn, as no attribute is asked for that needs more.

use std::process::{Child, Command, ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [program, folder, count, at_once] = args.as_slice() else {
        eprintln!("usage: spawn_loop PROGRAM FOLDER COUNT AT_ONCE");
        return ExitCode::from(2);
    };
    let (Ok(count), Ok(at_once)) = (count.parse::<usize>(), at_once.parse::<usize>()) else {
        eprintln!("COUNT and AT_ONCE are numbers");
        return ExitCode::from(2);
    };
    let mut running: Vec<Child> = Vec::new();
    let mut failed = 0;
    for n in 0..count {
        if running.len() == at_once {
            // Oldest first: with jobs of one length that is the one that ends first.
            failed += usize::from(!running.remove(0).wait().is_ok_and(|status| status.success()));
        }
        match Command::new(program).arg(format!("{folder}/{n}")).spawn() {
            Ok(child) => running.push(child),
            Err(error) => {
                eprintln!("{program}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    for mut child in running {
        failed += usize::from(!child.wait().is_ok_and(|status| status.success()));
    }
    if failed > 0 {
        eprintln!("{failed} of {count} failed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
