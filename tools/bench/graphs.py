"""Graphs that rows measure, and jobs of their kinds."""

from handmade import SAME, WEEK, Workspace, dataset, days, job, reads, static
from measure import process_cpu

# Of partitions that are no files: whatever it has to make is made.
QUICK_JOB = "#!/bin/sh\nexit 0\n"
# Ends when it is told to.
SLOW_JOB = "#!/bin/sh\nexec sleep 3600\n"


def layered(folder, program, keys, parts=1):
    """3 layers x 10 datasets of so many days, for each of so many parts: the same day, then a window of 7 days."""
    dims = [days(keys)]
    same, week = [SAME], [WEEK]
    if parts > 1:
        dims = [static("part", [f"p{n}" for n in range(parts)]), *dims]
        part = {"kind": "same", "of": "part"}
        same, week = [part, SAME], [part, WEEK]
    datasets, jobs = [], []
    for layer in range(3):
        for column in range(10):
            name = f"l{layer}c{column}"
            datasets.append(dataset(name, dims))
            inputs = []
            if layer == 1:
                inputs = [reads(f"l0c{column}", dims, same)]
            elif layer == 2:
                inputs = [reads(f"l1c{column}", dims, week, before="clip")]
            jobs.append(job(f"make_{name}", name, inputs))
    targets = [f"l2c{column}" for column in range(10)]
    return Workspace(folder, program, datasets, jobs), targets


def with_server(workspace, command):
    """Runs a command; its CPU time includes what the server did for it."""
    pid = workspace.server()
    before = process_cpu(pid)
    wall, cpu, done = workspace.databuild(*command)
    return wall, cpu + process_cpu(pid) - before, done
