"""Finds files of a Rust crate that use each other in a circle.

A file uses another if it names something that stands there. What a `mod.rs` only passes on (`pub use`) is looked up where it
stands, so a folder's front does not make circles; what a `mod.rs` defines itself does. Tests are left out: they may use all.
"""

import re


def production(text):
    """The source without its inline tests, comments and strings."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.strip() == "#[cfg(test)]" and any("mod tests {" in after for after in lines[number + 1 : number + 3]):
            lines = lines[:number]
            break
    text = re.sub(r"//[^\n]*", "", "\n".join(lines))
    text = re.sub(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))? )?(?:mod|use) [^;{]*;", "", text)
    return re.sub(r"pub\(in [^)]*\)", "pub", text)


def leaves(tree, prefix=()):
    """Each path of a `use` tree, as its parts and the name that it gets."""
    depth, start, parts = 0, 0, []
    for at, char in enumerate(tree):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts.append(tree[start:at])
            start = at + 1
    for part in [*parts, tree[start:]]:
        part = part.strip()
        nested = re.match(r"^((?:\w+::)*)\{(.*)\}$", part, re.S)
        if nested:
            yield from leaves(nested[2], prefix + tuple(nested[1].split("::")[:-1]))
        elif part:
            path, _, name = re.sub(r"\s+", " ", part).partition(" as ")
            whole = prefix + tuple(path.split("::"))
            if whole[-1] == "self":
                whole = whole[:-1]
            yield whole, name or whole[-1]


class Crate:
    """The modules of a crate and what they pass on."""

    USE = re.compile(r"(?m)^\s*(pub(?:\([^)]*\))? )?use ([^;]+);")
    SKIPPED = re.compile(r"(^|/)(\w*tests?|testing|test_\w+|fuzz)(\.rs|/)")

    def __init__(self, source):
        self.files, self.text, self.passed_on, self.all_of = {}, {}, {}, {}
        for path in sorted(source.rglob("*.rs")):
            inside = path.relative_to(source)
            if self.SKIPPED.search(inside.as_posix()) or inside.as_posix() == "main.rs":
                continue
            module = inside.with_suffix("").parts
            module = module[:-1] if module[-1] in ("mod", "lib") else module
            self.files[module] = path
            self.text[module] = production(path.read_text())
        for module, text in self.text.items():
            public = [leaf for public, tree in self.USE.findall(text) if public for leaf in leaves(tree)]
            self.passed_on[module] = {name: path for path, name in public if name != "*"}
            self.all_of[module] = [path[:-1] for path, name in public if name == "*"]

    def start(self, module, path):
        """The module from which a path goes on, and what is left of it; none if it leads out of the crate."""
        if path[0] == "crate":
            return (), path[1:]
        if path[0] == "self":
            return module, path[1:]
        if path[0] == "super":
            while path and path[0] == "super":
                module, path = module[:-1], path[1:]
            return module, path
        return (module, path) if module + path[:1] in self.files else None

    def home(self, module, path, depth=0):
        """The module in whose file a path ends; none if that is another crate's."""
        begin = self.start(module, path)
        if begin is None:
            return None
        at, rest = begin
        while rest and at + rest[:1] in self.files:
            at, rest = at + rest[:1], rest[1:]
        further = self.passes(at, rest[0]) if rest and at in self.files else None
        if further and depth < 8:
            # A front may pass on what another crate defines.
            return self.home(at, further + rest[1:], depth + 1)
        # The last part may be a module that holds nothing itself.
        return at if at in self.files else None

    def passes(self, module, name):
        """The path under which a module passes a name on; none if it does not."""
        own = self.passed_on[module]
        if name in own:
            return own[name]
        for all_of in self.all_of[module]:
            home = self.home(module, all_of)
            if home is not None and home != module and re.search(rf"\b(?:struct|enum|type|trait|fn|const|static) {name}\b", self.text[home]):
                return all_of + (name,)
        return None

    def uses(self, module):
        """Modules that a module uses."""
        text = self.text[module]
        found = set()
        for public, tree in self.USE.findall(text):
            if not public:
                found.update(self.home(module, path) for path, _ in leaves(tree))
        body = self.USE.sub("", text)
        # What a file passes on, it may use by its bare name.
        for name, path in self.passed_on[module].items():
            if re.search(rf"(?<![\w:.]){name}\b", body):
                found.add(self.home(module, path))
        for name in set(re.findall(r"(?<![\w:.])[A-Z]\w*", body)) if self.all_of[module] else ():
            path = self.passes(module, name)
            if path:
                found.add(self.home(module, path))
        for path in re.findall(r"(?<![\w:.])((?:crate|super|self)(?:::\w+)+)", body):
            found.add(self.home(module, tuple(path.split("::"))))
        for first, rest in re.findall(r"(?<![\w:.])([a-z_]\w*)((?:::\w+)+)", body):
            if module + (first,) in self.files:
                found.add(self.home(module, (first, *rest.split("::")[1:])))
        return found - {None, module}


def circles(source):
    """Sets of files below `source` that use each other in a circle, each sorted."""
    crate = Crate(source)
    uses = {module: crate.uses(module) for module in crate.files}
    reach = {}
    for module in uses:
        seen, left = set(), [module]
        while left:
            for used in uses[left.pop()] - seen:
                seen.add(used)
                left.append(used)
        reach[module] = seen
    found = set()
    for module in uses:
        circle = frozenset(other for other in reach[module] if module in reach[other])
        if circle:
            found.add(circle)
    return sorted(sorted(crate.files[module] for module in circle) for circle in found)
