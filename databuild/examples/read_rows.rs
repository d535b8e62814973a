//! The yardstick of `tools/bench` for a start: reads a million rows from SQLite, and does nothing with them.
//!
//! `read_rows make FILE COUNT` writes so many rows of 200 bytes; `read_rows read FILE` reads them all.

use rusqlite::Connection;
use std::process::ExitCode;

/// About the size of an event of ours.
const ROW_BYTES: usize = 200;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", file, count] => make(file, count),
        ["read", file] => read(file),
        _ => {
            eprintln!("usage: read_rows make FILE COUNT | read_rows read FILE");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("read_rows: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(file: &str, count: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut log = Connection::open(file)?;
    log.pragma_update(None, "journal_mode", "WAL")?;
    log.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")?;
    let transaction = log.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO rows (bytes) VALUES (?1)")?;
        for _ in 0..count.parse::<usize>()? {
            insert.execute([[b'x'; ROW_BYTES]])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn read(file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let log = Connection::open(file)?;
    let mut select = log.prepare("SELECT id, bytes FROM rows ORDER BY id")?;
    let mut rows = select.query([])?;
    let (mut count, mut bytes) = (0_u64, 0);
    while let Some(row) = rows.next()? {
        count += 1;
        bytes += row.get_ref(1)?.as_blob()?.len();
    }
    println!("{count} rows, {bytes} bytes");
    Ok(())
}
