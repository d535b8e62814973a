//! Texts that are compared with files of the repository.

use std::path::{Path, PathBuf};

/// Compares a text with a file of the repository, by its path there. With `UPDATE` in the environment it writes the file.
///
/// # Panics
/// They differ.
pub fn check(path: &str, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("updating needs Cargo");
        std::fs::write(Path::new(&manifest).join("..").join(path), text).unwrap();
        return;
    }
    let golden = read(path);
    if golden == text {
        return;
    }
    // Not `assert_eq!`, which shows both in one line each.
    let line = golden.lines().zip(text.lines()).position(|(golden, text)| golden != text);
    let line = line.unwrap_or_else(|| golden.lines().count().min(text.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    panic!(
        "{path}:{} differs:\n  file: {}\n  now:  {}\nIf the new text is as it should be: UPDATE=1 cargo test -p databuild \
         --test {}",
        line + 1,
        at(&golden),
        at(text),
        module_path!().split("::").next().unwrap_or_default()
    );
}

/// A file of the repository, by its path there.
///
/// # Panics
/// It is not there.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(find(path)).unwrap()
}

/// Beside the sources under Cargo, in the runfiles under Bazel.
fn find(path: &str) -> PathBuf {
    let cargo = option_env!("CARGO_MANIFEST_DIR").map(|manifest| PathBuf::from(manifest).join(".."));
    let bazel = ["RUNFILES_DIR", "TEST_SRCDIR"].into_iter().filter_map(std::env::var_os);
    let roots = cargo.into_iter().chain(bazel.map(|root| PathBuf::from(root).join("_main")));
    let tried: Vec<PathBuf> = roots.map(|root| root.join(path)).collect();
    let found = tried.iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{path}` is in none of {tried:?}; is it data of this test?")).clone()
}
