//! Environments of programs that the engine has run.

use crate::os::EnvValue;
use std::collections::BTreeMap;
use std::path::Path;

/// Of the environment that every process gets, what holds now. A temporary folder may be gone that was there when the
/// server was started, and then `/tmp` serves.
pub(crate) fn usable(base_env: &[(String, String)]) -> BTreeMap<String, EnvValue> {
    let usable = base_env.iter().filter(|(name, value)| name != "TMPDIR" || Path::new(value).is_dir());
    usable.map(|(name, value)| (name.clone(), value.as_str().into())).collect()
}

/// What a program from a snapshot needs to know of it.
pub(crate) fn runfiles_environment(runfiles: &str) -> [(String, String); 3] {
    [
        ("RUNFILES_DIR", runfiles),
        ("JAVA_RUNFILES", runfiles),
        // Byte code beside the sources would be a write into the snapshot.
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_is_handed_on_as_long_as_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = [of("HOME", "/gone"), of("TMPDIR", folder.path().to_str().unwrap())];
        assert_eq!(usable(&env).into_keys().collect::<Vec<_>>(), ["HOME", "TMPDIR"]);
        drop(folder);
        assert_eq!(usable(&env).into_keys().collect::<Vec<_>>(), ["HOME"]);
    }
}
