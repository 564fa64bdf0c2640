"""What a download is: one definition for every door, presigned URL, zip and cached answer."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes (\d+)-(\d+)/")
_OK, _PARTIAL, _NOT_MODIFIED = 200, 206, 304


@dataclass(frozen=True, slots=True)
class Visit:
    """Who downloads, as far as counting has to know.

    `client` is a keyed hash of who it is, None where double clicks are not looked for. `robot`
    says that its downloads don't count.
    """

    client: str | None = None
    robot: bool = False


ANYBODY = Visit()


def is_download(
    visit: Visit, status: int, content_range: str | None = None, *, not_modified: bool = False
) -> bool:
    """Whether a GET of a committed file, answered so to this visit, is a download.

    It is when the answer is whole, or a range with the first byte and more than the first
    two: of the parts that a client fetches in parallel one counts, a player's probe none.
    With `not_modified`, so is an answer 304 (the Code of Practice for Research Data, 10.1).
    """
    if visit.robot:
        return False
    if status == _OK:
        return True
    if status == _NOT_MODIFIED:
        return not_modified
    found = _RANGE.match(content_range or "") if status == _PARTIAL else None
    return found is not None and int(found[1]) == 0 and int(found[2]) > 1
