"""What a document asks its reader to do: files to write and commands to run, in order."""

from __future__ import annotations

import os
import re
from typing import Iterator, NamedTuple, Optional, Union

# The paragraph before a block that is a file, or that is added to one. Its last line may be all there is.
FILE = re.compile(r"^`([^`\s]+)`:$")
ADDITION = re.compile(r"^(?:.* )?[Aa]ppend (?:.* )?to `([^`\s]+)`:$")

# Above a block that readers are not meant to run there and then.
NOT_RUN = "<!-- not run -->"


class Unclear(Exception):
    """A block of which nobody can tell what a reader does with it."""


class File(NamedTuple):
    """A file that the reader writes, or adds to."""

    line: int
    name: str
    content: str
    append: bool


class Command(NamedTuple):
    """Commands that the reader runs, and lines that they then see among others, if the document shows any."""

    line: int
    text: str
    shown: list


Step = Union[File, Command]


def steps(path: str, section: Optional[str] = None) -> list:
    """The steps of a document, or of one section of it, which is named by its heading. Raises `Unclear`."""
    found = []
    heading = None
    for line, language, lead, content in blocks(path):
        if language == "#":
            heading = content
        elif (section is None or heading == section) and lead != NOT_RUN:
            found += steps_of(line, language, lead, content)
    return found


def steps_of(line: int, language: str, lead: str, content: list) -> Iterator[Step]:
    """The steps of one block."""
    text = "".join(row + "\n" for row in content)
    file, addition = FILE.match(lead), ADDITION.match(lead)
    if file or addition:
        yield File(line, (file or addition).group(1), text, append=bool(addition))
    elif language == "sh":
        yield Command(line, text, [])
    elif language == "console":
        for number, row in enumerate(content, line):
            if row.startswith("$ "):
                command = Command(number, row[2:], [])
                yield command
            else:
                command.shown.append(row)
    else:
        raise Unclear(f"line {line}: the block names no file; end the line above it in `NAME`: or write {NOT_RUN} there")


def blocks(path: str) -> Iterator[tuple]:
    """Blocks as (line of its first row, language, the line before it that is not empty, rows); a heading of the second
    level has `#` for its language and its text for rows."""
    lead, rows, language, first = "", [], None, 0
    with open(path, encoding="utf-8") as file:
        for number, row in enumerate(map(str.rstrip, file), 1):
            if language is not None:
                if row == "```":
                    yield first, language, lead, rows
                    lead, language = "", None
                else:
                    rows.append(row)
            elif row.startswith("```"):
                language, rows, first = row[3:], [], number + 1
            elif row.startswith("## "):
                yield number, "#", "", row[3:]
            elif row:
                lead = row


# What differs from time to time and from machine to machine.
VOLATILE = [
    (r"\b\d+m \d+s\b|\b\d+(\.\d+)? m?s\b", "TIME"),
    # From one to another, where both are not the same when rounded.
    (r"\bTIME to TIME\b", "TIME"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "INSTANT"),
    (r"\b([prtw])\d+\b", r"\1N"),
    (r"\b(sha256:)?[0-9a-f]{8,64}\b", "DIGEST"),
    (r"\s+", " "),
]


def plain(row: str) -> str:
    """A row without what differs from run to run."""
    for pattern, word in VOLATILE:
        row = re.sub(pattern, word, row)
    return row.strip()


def not_shown(shown: list, printed: str) -> Optional[str]:
    """The first row of those that a document shows which was not printed after those before it; None if all were.
    `...` stands for what is left out, as other rows may be anywhere."""
    rows = iter([plain(row) for row in printed.splitlines()])
    for row in shown:
        if row.strip() not in ("", "...") and plain(row) not in rows:
            return row
    return None


def write_file(folder: str, file: File) -> str:
    """Does what a step says; returns the path."""
    path = os.path.join(folder, file.name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a" if file.append else "w", encoding="utf-8") as out:
        out.write(("\n" if file.append else "") + file.content)
    return path
