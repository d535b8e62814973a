"""`moved`: what had another name before.

The functions return structs. What is wrong with their arguments is kept in the struct (`problem`) and told by
the graph. Whether renames contradict each other is checked when the graph is built.
"""

load(":paths.bzl", "dataset_name", "display_label")

def _is_target(value):
    return type(value) == "Label" or (type(value) == "string" and value != "")

def _moved(kind, **fields):
    return struct(databuild = "moved", fields = fields, kind = kind, problem = None)

def _wrong(call, example):
    return struct(databuild = "moved", fields = {}, kind = None, problem = "%s: write names, such as %s" % (call, example))

def _moved_dataset(old, to):
    """A dataset has another name than before.

    Args:
        old: its name or label before, such as `"sales/orders"`.
        to: label of the dataset now.

    Returns:
        A value for `moved` of `databuild_graph`.
    """
    if not (_is_target(old) and _is_target(to)):
        return _wrong("moved.dataset(%r, to = %r)" % (old, to), "moved.dataset(\"sales/orders\", to = \":orders_v2\")")
    return _moved("dataset", old = old, to = to)

def _moved_dimension(dataset, old, to):
    """A dimension of a dataset has another name than before.

    Args:
        dataset: label of the dataset; the label that it had when the dimension was moved will do, too.
        old: name of the dimension before.
        to: its name now.

    Returns:
        A value for `moved` of `databuild_graph`.
    """
    if not (_is_target(dataset) and type(old) == "string" and old and type(to) == "string" and to):
        return _wrong(
            "moved.dimension(%r, %r, to = %r)" % (dataset, old, to),
            "moved.dimension(\":orders\", \"day\", to = \"date\")",
        )
    return _moved("dimension", dataset = dataset, old = old, to = to)

def _moved_job(old, to):
    """A job has another label than before.

    Args:
        old: its label before.
        to: its label now.

    Returns:
        A value for `moved` of `databuild_graph`.
    """
    if not (_is_target(old) and _is_target(to)):
        return _wrong("moved.job(%r, to = %r)" % (old, to), "moved.job(\"//sales:ingest\", to = \":ingest_orders\")")
    return _moved("job", old = old, to = to)

moved = struct(
    dataset = _moved_dataset,
    dimension = _moved_dimension,
    job = _moved_job,
)

def moved_entries(values, label_of):
    """Renames as the graph file has them.

    Args:
        values: what a graph was given as `moved`.
        label_of: makes a Label of a text, as it is meant in the package of the graph.

    Returns:
        A pair: a list of dictionaries, and a list of problems.
    """
    if type(values) not in ("list", "tuple"):
        return [], ["moved = %r: write a list, such as moved = [moved.dataset(\"sales/orders\", to = \":orders_v2\")]" % (values,)]

    # What has no colon and no slashes before it is a name already.
    def name_of(value):
        is_name = type(value) == "string" and not value.startswith(("//", "@", ":"))
        return value if is_name else dataset_name(label_of(value))

    entries = []
    problems = []
    for value in values:
        if type(value) != "struct" or getattr(value, "databuild", None) != "moved":
            problems.append("moved: %r is no rename; write moved.dataset(...), moved.dimension(...) or moved.job(...)" % (value,))
        elif value.problem:
            problems.append(value.problem)
        elif value.kind == "dataset":
            entries.append({"from": name_of(value.fields["old"]), "kind": "dataset", "to": dataset_name(label_of(value.fields["to"]))})
        elif value.kind == "dimension":
            entries.append({
                "dataset": name_of(value.fields["dataset"]),
                "from": value.fields["old"],
                "kind": "dimension",
                "to": value.fields["to"],
            })
        else:
            labels = [display_label(label_of(value.fields[name])) for name in ["old", "to"]]
            entries.append({"from": labels[0], "kind": "job", "to": labels[1]})
    return entries, problems
