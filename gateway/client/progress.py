"""How far a transfer is, told after each piece."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is: of the file that moved last, and of all.

    `sent` of `size` bytes of `path` are through, in either direction. What has to be sent again
    is taken back first, so `sent` and `bytes_done` may fall. Files that were equal already count
    as done.
    """

    path: str
    sent: int
    size: int
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int


Report = Callable[[Progress], None]


@dataclass(slots=True)
class Tally:
    """Adds up what went through, and reports it. Used on one event loop alone."""

    report: Report | None
    sizes: dict[str, int]
    sent: dict[str, int] = field(default_factory=dict)
    files_done: int = 0
    bytes_done: int = 0
    bytes_total: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes_total = sum(self.sizes.values())

    def moved(self, path: str, count: int) -> None:
        """So many bytes of a file went through, or, where negative, have to go again."""
        self.sent[path] = self.sent.get(path, 0) + count
        self.bytes_done += count
        self._tell(path)

    def done(self, path: str) -> None:
        """A file is through, all of it."""
        rest = self.sizes[path] - self.sent.get(path, 0)
        self.sent[path] = self.sizes[path]
        self.bytes_done += rest
        self.files_done += 1
        self._tell(path)
        del self.sent[path]

    def _tell(self, path: str) -> None:
        if self.report is not None:
            self.report(
                Progress(
                    path=path,
                    sent=self.sent[path],
                    size=self.sizes[path],
                    files_done=self.files_done,
                    files_total=len(self.sizes),
                    bytes_done=self.bytes_done,
                    bytes_total=self.bytes_total,
                )
            )
