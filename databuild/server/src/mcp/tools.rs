//! The tools that an assistant has: what each takes, and what it may do.

use rmcp::handler::server::tool::schema_for_input;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;
use std::sync::Arc;

/// What an assistant may do. Each may also do what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rights {
    /// Look.
    Read,
    /// Keep plans and have them done.
    Want,
    /// Cancel what others asked for.
    Operate,
}

impl Rights {
    const ALL: [Rights; 3] = [Rights::Read, Rights::Want, Rights::Operate];

    /// As people write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Rights::Read => "read",
            Rights::Want => "want",
            Rights::Operate => "operate",
        }
    }

    /// The rights of this name.
    pub(super) fn of_word(word: &str) -> Option<Rights> {
        Rights::ALL.into_iter().find(|rights| rights.word() == word)
    }
}

/// Nothing but a place in a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetsArgs {
    /// Only datasets whose name contains this.
    pub(super) name: Option<String>,
    /// `next` of the answer before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionsArgs {
    /// A dataset, or a reference such as sales/orders/date=2024-01-01..2024-01-31.
    #[serde(rename = "ref")]
    pub(super) reference: String,
    /// Only those in this state: current, empty, missing, building, stale, failed, left_out.
    pub(super) state: Option<String>,
    /// `next` of the answer before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyArgs {
    /// One partition such as sales/orders/date=2024-01-01, a want such as w3, or a run such as r12.
    pub(super) of: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanArgs {
    /// References of what is to be built. Leave it out to see a plan that is kept.
    #[serde(default)]
    pub(super) targets: Vec<String>,
    /// What to do with partitions that exist: missing, stale (default) or all.
    pub(super) refresh: Option<String>,
    /// Read key spaces as of this instant, RFC 3339.
    pub(super) as_of: Option<String>,
    /// A plan that is kept, such as p7.
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyArgs {
    /// The id of a plan that `plan` gave, such as p7.
    pub(super) plan: String,
    /// interactive (default) or backfill, which lets others go first.
    pub(super) class: Option<String>,
    /// What it is for; kept with the want.
    pub(super) comment: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantsArgs {
    /// One want, such as w3.
    pub(super) id: Option<String>,
    /// Only those in this state: open, satisfied, failed, canceled, expired.
    pub(super) state: Option<String>,
    /// `next` of the answer before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsArgs {
    /// One run with its attempts, such as r12.
    pub(super) id: Option<String>,
    /// Only of this job: its label, or a name that only one has.
    pub(super) job: Option<String>,
    /// Only those in this state: leased, running, retry_wait, suspended, completed, failed, canceled.
    pub(super) state: Option<String>,
    /// Only those that make any of this reference.
    pub(super) partition: Option<String>,
    /// `next` of the answer before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsArgs {
    /// The run, such as r12.
    pub(super) run: String,
    /// The attempt, from 1; the last one if left out.
    pub(super) attempt: Option<u32>,
    /// Only stdout, or only stderr.
    pub(super) stream: Option<String>,
    /// `start`, or `next` of the answer before. Without it, the answer is the end of the log.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffArgs {
    /// A registered graph, by at least four digits of its id; the one before the head if left out.
    pub(super) base: Option<String>,
    /// The same; the one that new work follows if left out.
    pub(super) head: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChecksArgs {
    /// Only of this reference.
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    /// Only what did not pass.
    #[serde(default)]
    pub(super) failed: bool,
    /// `next` of the answer before.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsArgs {
    /// Events after this number, oldest first; the newest ones if left out.
    pub(super) after: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelArgs {
    /// A want such as w3, a run such as r12, or a trial such as t1.
    pub(super) id: String,
}

/// A tool.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// What it takes to call it.
    pub(super) needs: Rights,
    about: &'static str,
    schema: fn() -> Result<Arc<JsonObject>, String>,
}

/// All of them.
pub(super) const TOOLS: [Entry; 12] = [
    Entry {
        name: "datasets",
        needs: Rights::Read,
        about: "Datasets with how many of their partitions are current, stale, missing, failed or being built.",
        schema: schema_for_input::<DatasetsArgs>,
    },
    Entry {
        name: "partitions",
        needs: Rights::Read,
        about: "Partitions of a dataset with their states, and why each is not current.",
        schema: schema_for_input::<PartitionsArgs>,
    },
    Entry {
        name: "why",
        needs: Rights::Read,
        about: "Why a partition is as it is: what it was made from and what changed, down to source files; or what a want or a run \
                waits for.",
        schema: schema_for_input::<WhyArgs>,
    },
    Entry {
        name: "plan",
        needs: Rights::Read,
        about: "What building something would run, why, and how long it takes. Nothing runs. If you may have work done, the plan \
                is kept under an id that `apply` takes.",
        schema: schema_for_input::<PlanArgs>,
    },
    Entry {
        name: "apply",
        needs: Rights::Want,
        about: "Do exactly what a kept plan shows, and nothing else. Answers the want; follow it with `wants`.",
        schema: schema_for_input::<ApplyArgs>,
    },
    Entry {
        name: "wants",
        needs: Rights::Read,
        about: "What was asked for, newest first, or one want with its progress and the causes of its failure.",
        schema: schema_for_input::<WantsArgs>,
    },
    Entry {
        name: "runs",
        needs: Rights::Read,
        about: "Runs of jobs, newest first, or one run with its attempts, exit codes and messages.",
        schema: schema_for_input::<RunsArgs>,
    },
    Entry {
        name: "logs",
        needs: Rights::Read,
        about: "What an attempt of a run printed: the end of it, or line by line.",
        schema: schema_for_input::<LogsArgs>,
    },
    Entry {
        name: "diff",
        needs: Rights::Read,
        about: "What differs between two registered graphs: jobs with the source files to blame, datasets, checks, pools.",
        schema: schema_for_input::<DiffArgs>,
    },
    Entry {
        name: "checks",
        needs: Rights::Read,
        about: "What checks of data found, newest first.",
        schema: schema_for_input::<ChecksArgs>,
    },
    Entry {
        name: "events",
        needs: Rights::Read,
        about: "The event log in plain words: who did what, and what followed.",
        schema: schema_for_input::<EventsArgs>,
    },
    Entry {
        name: "cancel",
        needs: Rights::Operate,
        about: "Give up a want, a run or a trial, whoever asked for it.",
        schema: schema_for_input::<CancelArgs>,
    },
];

impl Entry {
    /// The tool of this name.
    pub(super) fn called(name: &str) -> Option<&'static Entry> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    /// As the protocol describes it.
    pub(super) fn tool(&self) -> Tool {
        // A type of ours that has no schema does not come into being: a test makes all of them.
        let schema = (self.schema)().unwrap_or_default();
        let reads = self.needs == Rights::Read;
        let annotations = ToolAnnotations::new()
            .read_only(reads)
            .destructive(self.needs == Rights::Operate)
            .idempotent(self.needs != Rights::Want)
            .open_world(false);
        let mut tool = Tool::new(self.name, self.about, schema);
        tool.annotations = Some(annotations);
        tool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_says_what_it_takes() {
        for entry in &TOOLS {
            let schema = (entry.schema)().unwrap();
            assert_eq!(schema["type"], "object", "{}", entry.name);
            let takes = schema["properties"].as_object().unwrap();
            assert!(!takes.is_empty(), "{}", entry.name);
            assert!(takes.values().all(|value| value["description"].is_string()), "{schema:?}");
            assert_eq!(schema["additionalProperties"], false, "{}", entry.name);
        }
    }

    #[test]
    fn what_changes_anything_takes_more_than_reading() {
        let more: Vec<_> = TOOLS
            .iter()
            .filter(|tool| tool.needs > Rights::Read)
            .map(|tool| (tool.name, tool.needs))
            .collect();
        assert_eq!(more, [("apply", Rights::Want), ("cancel", Rights::Operate)]);
        for rights in Rights::ALL {
            assert_eq!(Rights::of_word(rights.word()), Some(rights));
        }
        assert_eq!(Rights::of_word("admin"), None);
    }
}
