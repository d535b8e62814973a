"""Providers of the DataBuild rules. Fields that are JSON texts are so because depsets need immutable values."""

DatabuildDatasetInfo = provider(
    doc = "A dataset, as jobs and graphs see it.",
    fields = {
        "dims": "string: JSON list of `{name, keys}`, the dimensions in their declared order.",
        "external": "bool: observed, not built.",
        "label": "string: the target, in display form.",
        "name": "string: the name in partition references: `package/name`.",
        "observer": "struct(code_manifest = File, runfiles = runfiles): the program that observes it; None if there is none.",
        "spec": "string: JSON of the dataset's entry in the graph file.",
    },
)

DatabuildPoolInfo = provider(
    doc = "A pool, as jobs and graphs see it.",
    fields = {
        "label": "string: the target, in display form.",
        "slots": "int: how much of it there is.",
    },
)

DatabuildJobInfo = provider(
    doc = "A job, as graphs see it.",
    fields = {
        "code_manifest": "File: the exact content of executable and runfiles; its SHA-256 is the code fingerprint.",
        "datasets": "depset of DatabuildDatasetInfo: all datasets the job reads or makes.",
        "executable": "File: what is run.",
        "label": "string: the target, in display form.",
        "pools": "depset of DatabuildPoolInfo: what its runs take of.",
        "runfiles": "runfiles: executable, its runfiles, and both manifests.",
        "source_manifest": "File: JSON of the source files and label edges behind the executable.",
        "spec": "string: JSON of the job's entry in the graph file, without its fingerprint.",
    },
)

DatabuildCheckInfo = provider(
    doc = "A check, as graphs see it.",
    fields = {
        "code_manifest": "File: the exact content of executable and runfiles; its SHA-256 is the code fingerprint.",
        "dataset": "string: name of the dataset that it looks at.",
        "label": "string: the target, in display form.",
        "runfiles": "runfiles: executable, its runfiles, and the manifest.",
        "spec": "string: JSON of the check's entry in the graph file, without its fingerprint.",
    },
)

DatabuildScheduleInfo = provider(
    doc = "A schedule, as graphs see it.",
    fields = {
        "label": "string: the target, in display form.",
        "spec": "string: JSON of the schedule's entry in the graph file.",
    },
)

DatabuildGraphInfo = provider(
    doc = "A checked job graph.",
    fields = {
        "checks": "depset of string: the checks' labels, in display form.",
        "graph": "File: the graph file.",
        "jobs": "depset of string: the jobs' labels, in display form.",
    },
)

DatabuildSourcesInfo = provider(
    doc = "What a target is made of, collected by an aspect to explain changed fingerprints.",
    fields = {
        "edges": "depset of struct(source, target): label edges, in display form.",
        "files": "depset of struct(file, owner): source Files and the target that names each, in display form.",
        "hidden_env": "bool: the target has `env`, but its rule does not provide RunEnvironmentInfo.",
        "inputs": "depset of File: the same source files, as action inputs.",
    },
)
