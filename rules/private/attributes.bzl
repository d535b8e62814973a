"""Attributes that every macro takes, and those that are planned and therefore refused by name."""

# Attributes of all Bazel rules, passed on as they are.
_COMMON = [
    "applicable_licenses",
    "compatible_with",
    "deprecation",
    "exec_compatible_with",
    "exec_properties",
    "features",
    "package_metadata",
    "restricted_to",
    "tags",
    "target_compatible_with",
    "testonly",
    "visibility",
]

# Attributes that the design has and the code has not. Accepting them before they work would be a promise.
_PLANNED = [
    "dynamic_deps",
    "executor",
    "freshness",
    "keep_current",
    "owners",
    "partial_inputs",
    "priority",
    "resources",
    "retention",
    "schedule",
    "secrets",
    "services",
    "sla",
    "triggers",
]

def split_attributes(rule_name, kwargs):
    """Sorts a macro's further arguments.

    Args:
        rule_name: name of the macro, for messages.
        kwargs: its `**kwargs`.

    Returns:
        A pair: the attributes to pass on, and a list of problems for the rule to tell.
    """
    common = {}
    problems = []
    for name, value in kwargs.items():
        if name in _COMMON:
            common[name] = value
        elif name in _PLANNED:
            problems.append("attribute `%s` is planned and does not work yet; leave it out" % name)
        else:
            problems.append("`%s` is no attribute of %s; leave it out" % (name, rule_name))
    return common, problems

# Bazel's functions for paths, which rules fill in that have a use for them.
_PATH_FUNCTIONS = [
    function + ending
    for function in ["location", "execpath", "rootpath", "rlocationpath"]
    for ending in ["", "s"]
]

def unfilled_problems(at, texts):
    """Holes in the texts of a program, such as `$(location ...)`, that nothing would fill in.

    A path of the machine that builds means nothing where the program runs later, from a copy of its runfiles.

    Args:
        at: name of the attribute, for messages.
        texts: list of its texts.

    Returns:
        A list of texts.
    """
    problems = []
    for text in texts:
        if type(text) != "string":
            continue
        for function in _PATH_FUNCTIONS:
            if "$(%s " % function in text:
                problems.append("%s: `%s` in \"%s\" is not filled in; put the file into `data` of the binary, which finds it among its runfiles" % (at, "$(%s ...)" % function, text))
    return problems

def fail_with(label, problems):
    """Fails an analysis if there are problems, naming the target and all of them.

    Args:
        label: display form of the target.
        problems: list of texts.
    """
    if problems:
        fail("\n  ".join(["%s:" % label] + problems))
