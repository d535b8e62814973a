"""The same work for the tools that figures are ratios to."""

from measure import run


def ninja_layered(folder, keys):
    """The same graph for ninja."""
    folder.mkdir(parents=True)
    lines = ["rule make", "  command = echo x > $out"]
    for layer in range(3):
        for column in range(10):
            for day in range(keys):
                inputs = ""
                if layer == 1:
                    inputs = f" l0c{column}/{day}"
                elif layer == 2:
                    inputs = "".join(f" l1c{column}/{back}" for back in range(max(0, day - 6), day + 1))
                lines.append(f"build l{layer}c{column}/{day}: make{inputs}")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")


def ninja_files(folder, count):
    """So many stamped files that are current."""
    folder.mkdir(parents=True)
    (folder / "out").mkdir()
    lines = ["rule make", "  command = touch $out"]
    for number in range(count):
        lines.append(f"build out/{number}: make")
        (folder / "out" / str(number)).write_text("x\n")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    # A log in which every file is known, as after a build.
    run(["ninja", "-t", "restat"], cwd=folder)
    if b"no work" not in run(["ninja", "-n"], cwd=folder)[2].stdout:
        # This ninja wants to have built them itself.
        run(["ninja"], cwd=folder)
