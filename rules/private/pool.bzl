"""`databuild_pool`: something that runs share and that there is only so much of."""

load("//rules:providers.bzl", "DatabuildPoolInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":paths.bzl", "display_label")

def _pool_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)
    if ctx.attr.slots < 1:
        problems.append("slots = %d: write a number of at least 1; `databuild pools set` makes a pool smaller for a time" % ctx.attr.slots)
    fail_with(label, problems)
    return [DefaultInfo(), DatabuildPoolInfo(label = label, slots = ctx.attr.slots)]

_databuild_pool = rule(
    implementation = _pool_impl,
    doc = "A pool; use the macro `databuild_pool`.",
    attrs = {
        "problems": attr.string_list(doc = "What the macro found wrong."),
        "slots": attr.int(mandatory = True),
    },
    provides = [DatabuildPoolInfo],
)

def databuild_pool(name, slots, **kwargs):
    """Declares a pool: something that runs of several jobs share, such as connections to a database.

    Args:
        name: name of the target.
        slots: how much of it there is. How much a run takes is declared at its job: `pools = {":name": 1}`.
        **kwargs: attributes of all rules, such as `visibility` (whose jobs may take of it) and `tags`.
    """
    common, problems = split_attributes("databuild_pool", kwargs)
    _databuild_pool(
        name = name,
        problems = problems,
        slots = slots,
        **common
    )
