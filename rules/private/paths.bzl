"""Names of files and targets as they stand in the graph file."""

# The runfiles folder of the main repository; fixed under bzlmod.
MAIN_REPO = "_main"

def runfiles_path(file):
    """Canonical runfiles path of a File; using it needs no repository mapping."""
    if file.short_path.startswith("../"):
        return file.short_path[3:]
    return MAIN_REPO + "/" + file.short_path

def display_label(label):
    """A label as people write it.

    Args:
        label: a Label.

    Returns:
        `//x:y` in the main repository, `@@name//x:y` in others.
    """
    text = str(label)
    for prefix in ("@@//", "@//"):
        if text.startswith(prefix):
            return text[len(prefix) - 2:]
    return text

def dataset_name(label):
    """The name of a dataset: its package and name, or its name alone in the root package."""
    return label.package + "/" + label.name if label.package else label.name
