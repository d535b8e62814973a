"""Public API of the DataBuild rules.

```starlark
load("@databuild//rules:defs.bzl", "databuild_check", "databuild_dataset", "databuild_graph", "databuild_job", "databuild_pool", "databuild_schedule", "dep", "keys", "moved", "observe")
```
"""

load("//rules/private:check.bzl", _databuild_check = "databuild_check")
load("//rules/private:dataset.bzl", _databuild_dataset = "databuild_dataset")
load("//rules/private:dep.bzl", _dep = "dep")
load("//rules/private:graph.bzl", _databuild_graph = "databuild_graph")
load("//rules/private:job.bzl", _databuild_job = "databuild_job")
load("//rules/private:keys.bzl", _keys = "keys")
load("//rules/private:moved.bzl", _moved = "moved")
load("//rules/private:observe.bzl", _observe = "observe")
load(
    "//rules/private:pipeline_tests.bzl",
    _databuild_pipeline_test = "databuild_pipeline_test",
    _databuild_plan_test = "databuild_plan_test",
)
load("//rules/private:pool.bzl", _databuild_pool = "databuild_pool")
load("//rules/private:schedule.bzl", _databuild_schedule = "databuild_schedule")

databuild_check = _databuild_check
databuild_dataset = _databuild_dataset
databuild_graph = _databuild_graph
databuild_job = _databuild_job
databuild_pipeline_test = _databuild_pipeline_test
databuild_plan_test = _databuild_plan_test
databuild_pool = _databuild_pool
databuild_schedule = _databuild_schedule
dep = _dep
keys = _keys
moved = _moved
observe = _observe
