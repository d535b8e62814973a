//! What SQLite says, in the words of [`StoreError`].

use super::super::error::StoreError;
use rusqlite::ffi::{self, ErrorCode};

/// The error of a failed statement on `log`.
pub(in super::super) fn failure(log: &str, error: &rusqlite::Error) -> StoreError {
    let log = log.to_owned();
    let reason = error.to_string();
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return match error {
            // A row of a projection, or a stored event, that does not have the type we store.
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => StoreError::CorruptLog { log, reason },
            _ => StoreError::Database { log, reason },
        };
    };
    match code.code {
        ErrorCode::DiskFull => StoreError::DiskFull { log },
        // The index of the write-ahead log could not grow, which is the same lack of space.
        ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            StoreError::DiskFull { log }
        }
        // So says a write beyond the largest size that this process may give a file (`ulimit -f`).
        ErrorCode::SystemIoFailure
            if code.extended_code == ffi::SQLITE_IOERR_WRITE && files_have_a_limit() =>
        {
            StoreError::DiskFull { log }
        }
        ErrorCode::SystemIoFailure => StoreError::Io { log, reason },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::CorruptLog { log, reason },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            StoreError::Unwritable { log, reason }
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { log },
        ErrorCode::OperationInterrupted => StoreError::TooSlow { log },
        _ => StoreError::Database { log, reason },
    }
}

fn files_have_a_limit() -> bool {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_name() {
        let cases = [
            (ffi::SQLITE_FULL, "disk_full"),
            (ffi::SQLITE_IOERR_SHMSIZE, "disk_full"),
            (ffi::SQLITE_IOERR_FSYNC, "log_io_error"),
            (ffi::SQLITE_IOERR_WRITE, "log_io_error"),
            (ffi::SQLITE_IOERR_READ, "log_io_error"),
            (ffi::SQLITE_CORRUPT, "corrupt_log"),
            (ffi::SQLITE_NOTADB, "corrupt_log"),
            (ffi::SQLITE_READONLY_DIRECTORY, "state_unwritable"),
            (ffi::SQLITE_CANTOPEN, "state_unwritable"),
            (ffi::SQLITE_PERM, "state_unwritable"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "log_busy"),
            (ffi::SQLITE_INTERRUPT, "query_too_slow"),
            (ffi::SQLITE_MISUSE, "log_database_error"),
        ];
        for (code, name) in cases {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(failure("x", &error).code(), name, "code {code}");
        }
        assert_eq!(failure("x", &rusqlite::Error::InvalidQuery).code(), "log_database_error");
    }
}
