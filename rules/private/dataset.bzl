"""`databuild_dataset`: a named, partitioned collection of data."""

load("//rules:providers.bzl", "DatabuildDatasetInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":key_spaces.bzl", "is_key_space")
load(":limits.bzl", "limit_or_zero")
load(":paths.bzl", "dataset_name", "display_label")

def _is_identifier(text):
    if not text or not (text[0].islower() and text[0].isalpha()):
        return False
    return not [c for c in text.elems() if not (c.isalnum() and c == c.lower() or c == "_")]

def _dataset_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)
    dims = json.decode(ctx.attr.dims)
    for dim in dims:
        if not _is_identifier(dim["name"]):
            problems.append("dims: `%s` is no name of a dimension; use a-z, 0-9 and _, beginning with a letter" % dim["name"])
    if ctx.attr.external and not ctx.attr.path:
        problems.append("an external dataset needs `path`: its data version is the content of its files")
    if ctx.attr.max_running < 0:
        problems.append("max_running = %d: write a number of at least 1, or leave it out" % ctx.attr.max_running)
    if ctx.attr.external and ctx.attr.max_running:
        problems.append("max_running: an external dataset has no runs that make it; leave it out")
    fail_with(label, problems)
    name = dataset_name(ctx.label)
    return [
        DefaultInfo(),
        DatabuildDatasetInfo(
            dims = json.encode(dims),
            external = ctx.attr.external,
            label = label,
            name = name,
            # What is not said does not stand in the graph file.
            spec = json.encode(({"max_running": ctx.attr.max_running} if ctx.attr.max_running else {}) | {
                "dims": dims,
                "external": ctx.attr.external,
                "label": label,
                "name": name,
                "path": ctx.attr.path or None,
            }),
        ),
    ]

_databuild_dataset = rule(
    implementation = _dataset_impl,
    doc = "A dataset; use the macro `databuild_dataset`.",
    attrs = {
        "dims": attr.string(mandatory = True, doc = "JSON list of dimensions in their declared order."),
        "external": attr.bool(doc = "Observed, not built."),
        "max_running": attr.int(doc = "Most runs that make it at once; 0 for no limit."),
        "path": attr.string(doc = "Path template of a partition."),
        "problems": attr.string_list(doc = "What the macro found wrong."),
    },
    provides = [DatabuildDatasetInfo],
)

def databuild_dataset(name, dims = {}, path = None, external = False, max_running = None, **kwargs):
    """Declares a dataset.

    Its name in partition references is the package and the name: `//sales:orders` is `sales/orders`.

    Args:
        name: name of the target.
        dims: dictionary from the name of a dimension to its key space (`keys.daily(...)`, `keys.static(...)`),
            in the order in which partitions are to be written. Without dimensions there is one partition.
        path: where the file or directory of a partition is, with `{dimension}` for each dimension; relative
            to the workspace, or absolute. Left out if partitions are not files.
        external: the data comes from elsewhere: it is observed, no job makes it.
        max_running: most runs that make it at once; by default there is no limit.
        **kwargs: attributes of all rules, such as `visibility` (who may read the dataset) and `tags`.
    """
    common, problems = split_attributes("databuild_dataset", kwargs)
    entries = []
    if type(dims) != "dict":
        problems.append("dims = %r: write a dictionary, such as dims = {\"date\": keys.daily(start = \"2010-01-01\")}" % (dims,))
        dims = {}
    for dim, space in dims.items():
        if not is_key_space(space):
            problems.append("dims: `%s` is %r; write a key space, such as keys.daily(start = \"2010-01-01\") or keys.static([...])" % (dim, space))
        elif space.problem:
            problems.append("dims: `%s`: %s" % (dim, space.problem))
        else:
            entries.append({"keys": space.spec, "name": dim})
    _databuild_dataset(
        name = name,
        dims = json.encode(entries),
        external = external,
        max_running = limit_or_zero("max_running", max_running, problems),
        path = path or "",
        problems = problems,
        **common
    )
