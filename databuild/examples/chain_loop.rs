//! The yardstick of `tools/bench` for a chain: what each hop cannot do without, and nothing else.
//!
//! `chain_loop PROGRAM FOLDER COUNT` runs `PROGRAM FOLDER/<n>` for each n, one after the other. After each it syncs the
//! file that the program wrote and makes two synchronous commits to a SQLite log: one that the output is ready, one that it
//! is published.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode};

/// About the size of an event of ours.
const EVENT_BYTES: usize = 200;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [program, folder, count] = args.as_slice() else {
        eprintln!("usage: chain_loop PROGRAM FOLDER COUNT");
        return ExitCode::from(2);
    };
    match run(program, Path::new(folder), count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chain_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: &str, folder: &Path, count: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut log = rusqlite::Connection::open(folder.join("log.sqlite"))?;
    log.pragma_update(None, "journal_mode", "WAL")?;
    log.pragma_update(None, "synchronous", "FULL")?;
    log.execute_batch("CREATE TABLE events (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")?;
    for n in 0..count.parse::<usize>()? {
        let output = folder.join(n.to_string());
        if !Command::new(program).arg(&output).status()?.success() {
            return Err(format!("the program failed at {n}").into());
        }
        File::open(&output)?.sync_all()?;
        for _ in 0..2 {
            let transaction = log.transaction()?;
            transaction.execute("INSERT INTO events (bytes) VALUES (?1)", [[b'x'; EVENT_BYTES]])?;
            transaction.commit()?;
        }
    }
    Ok(())
}
