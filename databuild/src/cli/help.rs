//! What `--help` shows first: commands in groups, each with what it does.

use super::args::Cli;
use clap::builder::styling::Styles;
use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::CommandFactory as _;
use std::fmt::Write as _;

/// Commands by what they are for; the most used first.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Build", &["build", "plan", "apply", "plans", "invoke", "want", "cancel"]),
    (
        "Look",
        &[
            "ui",
            "status",
            "partitions",
            "graph",
            "why",
            "queue",
            "timeline",
            "runs",
            "logs",
            "shell",
            "checks",
            "events",
            "explain",
        ],
    ),
    (
        "Judge changes of code and data",
        &[
            "diff", "deploy", "compare", "verify", "rerun", "trials", "accept", "taint", "untaint", "scan",
            "adopt", "keys",
        ],
    ),
    (
        "Operate",
        &[
            "schedules",
            "pools",
            "gc",
            "config",
            "token",
            "serve",
            "stop",
            "mcp",
            "shim",
            "completion",
            "help",
        ],
    ),
];

/// Help that was asked for, with commands in groups if it is that of the program; anything else as it is. Only then, since the
/// groups take a millisecond to make.
pub fn in_groups(error: clap::Error) -> clap::Error {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            command().try_get_matches().err().unwrap_or(error)
        }
        _ => error,
    }
}

/// The command line, with its commands in groups.
fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let name = |name: &str| name.len();
    let width = GROUPS.iter().flat_map(|(_, names)| *names).copied().map(name).max().unwrap_or_default();
    let styles = Styles::default();
    let (heading, literal) = (styles.get_header(), styles.get_literal());
    let mut template = StyledStr::new();
    let _ = write!(template, "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n");
    for (group, names) in GROUPS {
        let _ = writeln!(template, "{heading}{group}:{heading:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(|found| found.get_about());
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(template, "  {literal}{name:width$}{literal:#}  {about}");
        }
        let _ = writeln!(template);
    }
    let _ = write!(template, "{heading}Options:{heading:#}\n{{options}}{{after-help}}");
    Cli::command().help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_command_that_people_type_is_in_one_group() {
        let mut all = Cli::command();
        all.build();
        let shown = all.get_subcommands().filter(|command| !command.is_hide_set());
        let names: BTreeSet<String> = shown.map(|command| command.get_name().to_owned()).collect();
        let grouped: Vec<String> =
            GROUPS.iter().flat_map(|(_, names)| *names).map(|name| (*name).to_owned()).collect();
        assert_eq!(grouped.len(), names.len());
        assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), names);
    }

    #[test]
    fn help_shows_groups_with_what_each_command_does() {
        let help = command().render_help().to_string();
        let logs = "  logs        Print the output of a run, or search it\n";
        assert!(help.contains(logs), "{help}");
        for (group, _) in GROUPS {
            assert!(help.contains(&format!("\n{group}:\n")), "{help}");
        }
        assert!(help.contains("--json"), "{help}");
    }
}
