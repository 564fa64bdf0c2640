"""The code blocks of the reference document, which the Hypha door has to honour."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "REFERENCE_DOCUMENT"
WHERE = os.environ.get(VARIABLE, "")

needs_document = pytest.mark.skipif(
    not WHERE, reason=f"needs {VARIABLE}, the path of the reference document: .ci/run sets it"
)

SERVER = "https://hypha.aicell.io"
LOCAL_FILE = "path/to/local/data.csv"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of Python, and the heading that it stands below."""

    heading: str
    code: str


def blocks(url: str, file: Path) -> list[Block]:
    """The document's blocks of Python, in order, for the server at `url` and a file at hand."""
    found: list[Block] = []
    heading = ""
    code: list[str] | None = None
    for line in Path(WHERE).read_text(encoding="utf-8").splitlines():
        if code is not None and line.startswith("```"):
            found.append(Block(heading, "\n".join(code)))
            code = None
        elif code is not None:
            code.append(line.replace(SERVER, url).replace(LOCAL_FILE, str(file)))
        elif line.startswith("```python"):
            code = []
        elif title := re.match(r"#+ (.*)", line):
            heading = title[1]
    return found


def below(found: list[Block], heading: str) -> str:
    """The code of the one block below the heading that begins so."""
    (code,) = (block.code for block in found if block.heading.startswith(heading))
    return code


def references(found: list[Block]) -> Mapping[str, str]:
    """The example of each method in the document's API reference, by the method's name."""
    named = ((re.match(r"`(\w+)\(", block.heading), block.code) for block in found)
    return {match[1]: code for match, code in named if match}
