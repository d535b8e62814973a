"""Inputs of jobs, as the graph file has them."""

load(":mappings.bzl", "unit_problem")

def input_entry(name, spec, dataset, output_dims, problems):
    """The graph file's entry of one input, a rule for each dimension of its dataset.

    Args:
        name: the job's name of the input.
        spec: what `dep` made of it, with the index of its dataset.
        dataset: the DatabuildDatasetInfo of that.
        output_dims: names of the outputs' dimensions.
        problems: list that gains what is wrong.

    Returns:
        A dictionary.
    """
    dims = json.decode(dataset.dims)
    at = "inputs[\"%s\"]" % name
    for dim in spec["dims"]:
        if dim not in [known["name"] for known in dims]:
            problems.append("%s: dataset `%s` has no dimension `%s`; it has %s" % (
                at,
                dataset.name,
                dim,
                ", ".join(["`%s`" % known["name"] for known in dims]) or "none",
            ))
    entries = []
    for dim in dims:
        given = spec["dims"].get(dim["name"])
        if not given:
            if dim["name"] not in output_dims:
                problems.append("%s: dimension `%s` of `%s` is no dimension of the outputs; say which keys are read, such as %s = keys.all()" % (
                    at,
                    dim["name"],
                    dataset.name,
                    dim["name"],
                ))
            entries.append({"dim": dim["name"], "rule": {"kind": "same", "of": dim["name"]}})
            continue
        problem = unit_problem(given["unit"], dim["keys"])
        if problem:
            problems.append("%s: `%s`: %s" % (at, dim["name"], problem))
        rule = {"kind": given["kind"]}
        if given["of"]:
            rule["of"] = given["of"]
        rule.update(given["fields"])
        entries.append({"dim": dim["name"], "rule": rule})
    return {
        "after_end": spec["after_end"],
        "before_start": spec["before_start"],
        "dataset": dataset.name,
        "dims": entries,
        "name": name,
    }
