"""`dep`: an input of a job."""

load(":key_spaces.bzl", "is_key_space")
load(":mappings.bzl", "edge_problem", "is_mapping")

def is_dep(value):
    """Whether a value was returned by `dep`."""
    return type(value) == "struct" and getattr(value, "databuild", None) == "dep"

def dep(dataset, before_start = None, after_end = None, **dims):
    """An input: which partitions of a dataset one partition of the job's outputs is made from.

    Args:
        dataset: label of the `databuild_dataset`. Its visibility decides who may read it.
        before_start: what happens where a mapping asks for keys before the dataset's first: `"fail"`
            (the default) refuses such a graph, `"clip"` leaves the keys out, `"skip"` leaves the output out.
        after_end: likewise for keys after its last.
        **dims: a mapping for a dimension of the dataset, such as `date = keys.window(days = 7)`. A
            dimension that is not mentioned takes the same key as the output's dimension of that name.

    Returns:
        A value for `inputs` of `databuild_job`.
    """
    problems = []
    edges = {"after_end": after_end, "before_start": before_start}
    if type(dataset) not in ("string", "Label"):
        problems.append("dep(%r): the first argument is the label of a dataset, such as dep(\":raw\")" % (dataset,))
    for name, value in edges.items():
        problem = edge_problem(name, value)
        if problem:
            problems.append(problem)
    rules = {}
    for dim, mapping in dims.items():
        if not is_mapping(mapping):
            problems.append("%s = %s is no mapping; write keys.same(), keys.window(...), keys.all() or another of keys.*, or leave it out" % (
                dim,
                "a key space" if is_key_space(mapping) else repr(mapping),
            ))
            continue
        if mapping.problem:
            problems.append("%s: %s" % (dim, mapping.problem))
            continue
        for name in edges.keys():
            said = getattr(mapping, name)
            if said and edges[name] and said != edges[name]:
                problems.append("%s is given twice, as %r and as %r; write it once, in dep()" % (name, edges[name], said))
            edges[name] = edges[name] or said
        rules[dim] = {
            "fields": mapping.fields,
            "kind": mapping.kind,
            "of": (mapping.of or dim) if mapping.needs_of else None,
            "unit": mapping.unit,
        }
    return struct(
        databuild = "dep",
        after_end = edges["after_end"] or "fail",
        before_start = edges["before_start"] or "fail",
        dataset = dataset,
        dims = rules,
        problems = problems,
    )
