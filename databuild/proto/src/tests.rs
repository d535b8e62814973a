//! The checked-in code is what the generator makes of the `.proto` files.
//!
//! `UPDATE=1 cargo test -p databuild-proto` writes it anew instead.

use protobuf_codegen::{Codegen, Customize};
use std::path::{Path, PathBuf};
use std::{env, fs};

// Compiled in, so that the test needs no source tree where it runs.
const SCHEMAS: [(&str, &str); 1] = [("events.proto", include_str!("../events.proto"))];
const CHECKED_IN: [(&str, &str); 2] =
    [("events.rs", include_str!("generated/events.rs")), ("mod.rs", include_str!("generated/mod.rs"))];

/// Options are part of the source form: other ones give other Rust types.
fn options() -> Customize {
    Customize::default()
        // No reflection: nothing asks a message for its fields by name, and it costs code and start-up.
        .lite_runtime(true)
        // Fields are public; accessors would only be a second way.
        .generate_accessors(false)
        .generate_getter(false)
        // Equal messages have equal bytes.
        .btreemaps(true)
}

fn generate(out: &Path) {
    let input = tempfile::tempdir().expect("a temporary folder");
    let mut codegen = Codegen::new();
    codegen.pure().include(input.path());
    for (name, text) in SCHEMAS {
        let schema = input.path().join(name);
        fs::write(&schema, text).expect("room for a file");
        codegen.input(&schema);
    }
    codegen.out_dir(out).customize(options()).run().expect("the schemas are valid");

    // A new event must break the build of every `match` that has to know it. The generator has an
    // option for that (`oneofs_non_exhaustive`), which its version 3.7.2 loses on the way.
    let events = out.join("events.rs");
    let code = fs::read_to_string(&events).expect("the generator wrote it");
    let attribute = "    #[non_exhaustive]\n";
    assert_eq!(code.matches(attribute).count(), 3, "one for each `oneof`");
    fs::write(&events, code.replace(attribute, "")).expect("as it was written before");
}

#[test]
fn generated_code_is_what_the_generator_makes() {
    if env::var_os("UPDATE").is_some() {
        let here = env::var_os("CARGO_MANIFEST_DIR").expect("updating needs Cargo");
        generate(&PathBuf::from(here).join("src/generated"));
        return;
    }

    let fresh = tempfile::tempdir().unwrap();
    generate(fresh.path());
    let mut names: Vec<_> = fs::read_dir(fresh.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, CHECKED_IN.map(|(name, _)| name), "files in src/generated");
    for (name, have) in CHECKED_IN {
        let want = fs::read_to_string(fresh.path().join(name)).unwrap();
        // Not `assert_eq!`: nobody reads three thousand lines of generated code in a failure.
        assert!(
            want == have,
            "src/generated/{name} is not what the .proto files say; \
             run `UPDATE=1 cargo test -p databuild-proto`"
        );
    }
}
