//! SHA-256 of files, read as a stream.

use crate::error::ToolError;
use base16ct::lower;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Content of a file, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Lower-case hex.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// Large enough that system calls do not count, small enough for the stack of a hasher to stay in cache.
const BUFFER: usize = 128 * 1024;

/// Hashes one file.
///
/// # Errors
/// It cannot be read.
pub fn hash_file(path: &Path) -> Result<Content, ToolError> {
    let failed = |source| ToolError::read(path, source);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(Content { sha256: lower::encode_string(&hasher.finalize()), size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_empty_small_and_larger_than_buffer_files_are_the_standard_ones() {
        let dir = tempfile::tempdir().unwrap();
        let hash = |bytes: &[u8]| {
            let path = dir.path().join("f");
            std::fs::write(&path, bytes).unwrap();
            hash_file(&path).unwrap()
        };
        assert_eq!(hash(b"").sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hash(b"abc").sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let million = hash(&vec![b'a'; 1_000_000]);
        assert_eq!(million.sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        assert_eq!(million.size, 1_000_000);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = hash_file(Path::new("no/such/file")).unwrap_err();
        assert!(
            error.report().starts_with("error[unreadable_file]: cannot read no/such/file: "),
            "{}",
            error.report()
        );
    }
}
