//! The `databuild` command.

fn main() -> std::process::ExitCode {
    databuild::cli::main()
}
