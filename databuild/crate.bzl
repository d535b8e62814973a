"""A crate of the Cargo workspace as Bazel targets, so that both build the same files with the same dependencies."""

load("@databuild_crates//:defs.bzl", "aliases", "all_crate_deps")
load("@rules_rust//rust:defs.bzl", "rust_binary", "rust_library", "rust_test")

_EDITION = "2021"

# That of Cargo.toml; tools/tidy compares them.
_VERSION = "0.1.0"

# Files that sources include (`include_str!`, `include_bytes!`) and that tests read.
_INCLUDED = [
    "*.proto",
    "src/**/*.css",
    "src/**/*.html",
    "src/**/*.js",
    "src/**/*.json",
    "src/**/*.proto",
    "src/**/*.repo_mapping",
    "src/**/*.sql",
    "src/**/*.svg",
]

def databuild_crate(crate_name = None, binary = None, deps = [], dev_deps = [], data = [], lib_test_tags = [], visibility = None):
    """Declares the library, the program and the tests of the crate whose Cargo.toml is in this package.

    Targets: `lib` and `lib_test` when `src/lib.rs` exists; the program and `<program>_test` when `binary` is given;
    `<name>_test` for each `tests/<name>.rs`, which finds the program as in Cargo, in `CARGO_BIN_EXE_<program>`.

    Args:
        crate_name: name that other crates use for the library.
        binary: name of the program whose root is `src/main.rs`.
        deps: labels of the workspace's own crates that this one depends on; Cargo.toml tells the others.
        dev_deps: the same, for tests only.
        data: files of other packages that the tests in `tests` read.
        lib_test_tags: tags of `lib_test` and of the tests in `tests`.
        visibility: who may use the library and the program.
    """
    sources = native.glob(["src/**/*.rs"])
    included = native.glob(_INCLUDED, allow_empty = True)
    library = [":lib"] if "src/lib.rs" in sources else []

    # Programs beside a library hold `src/main.rs` alone; without one all sources are theirs.
    library_sources = [source for source in sources if source != "src/main.rs" or not binary]
    binary_sources = ["src/main.rs"] if library else sources
    normal = {
        "aliases": aliases(),
        "edition": _EDITION,
        "proc_macro_deps": all_crate_deps(proc_macro = True),
        "version": _VERSION,
    }
    added_by_tests = {
        "aliases": aliases(
            normal_dev = True,
            proc_macro_dev = True,
        ),
        "edition": _EDITION,
        "proc_macro_deps": all_crate_deps(proc_macro_dev = True),
        "version": _VERSION,
    }
    test_data = native.glob(
        ["tests/**"],
        allow_empty = True,
        exclude = ["**/*.rs"],
    ) + included

    if library:
        rust_library(
            name = "lib",
            srcs = library_sources,
            compile_data = included,
            crate_name = crate_name,
            crate_root = "src/lib.rs",
            visibility = visibility,
            deps = deps + all_crate_deps(normal = True),
            **normal
        )
        rust_test(
            name = "lib_test",
            crate = ":lib",
            data = test_data,
            tags = lib_test_tags,
            deps = dev_deps + all_crate_deps(normal_dev = True),
            **added_by_tests
        )

    if binary:
        rust_binary(
            name = binary,
            srcs = binary_sources,
            compile_data = included,
            crate_name = binary + "_program" if binary == crate_name else binary,
            crate_root = "src/main.rs",
            # What is handed out needs no symbols, which are a fifth of its bytes.
            rustc_flags = select({
                "//databuild:optimized": ["--codegen=strip=symbols"],
                "//conditions:default": [],
            }),
            visibility = visibility,
            deps = library + deps + all_crate_deps(normal = True),
            **normal
        )
        rust_test(
            name = binary + "_test",
            crate = ":" + binary,
            data = test_data,
            deps = dev_deps + all_crate_deps(normal_dev = True),
            **added_by_tests
        )

    shared = native.glob(["tests/*/**/*.rs"], allow_empty = True)
    for test in native.glob(["tests/*.rs"], allow_empty = True):
        rust_test(
            name = test.removeprefix("tests/").removesuffix(".rs") + "_test",
            srcs = [test] + shared,
            aliases = aliases(
                normal = True,
                normal_dev = True,
                proc_macro = True,
                proc_macro_dev = True,
            ),
            compile_data = included,
            crate_root = test,
            data = test_data + data + ([":" + binary] if binary else []),
            tags = lib_test_tags,
            edition = _EDITION,
            proc_macro_deps = all_crate_deps(
                proc_macro = True,
                proc_macro_dev = True,
            ),
            rustc_env = {"CARGO_BIN_EXE_" + binary: "$(rootpath :%s)" % binary} if binary else {},
            deps = library + deps + dev_deps + all_crate_deps(
                normal = True,
                normal_dev = True,
            ),
        )
