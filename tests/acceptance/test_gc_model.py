"""Random lives of artifacts, and gc in between, against the model that knows of no gc.

What the model says after it must be so: versions by number, views, open edits and how they end.
`make model` makes it longer.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from hypothesis.stateful import invariant

from tests.acceptance.collecting import Versions, bucket_of, collect, held
from tests.acceptance.harness import WORKSPACE, Gateway, Response
from tests.acceptance.lines import Lines, Question
from tests.acceptance.lives import Lives
from tests.acceptance.test_model import LIMIT_SECONDS, live
from tests.acceptance.views import outcome

SUITE_STEPS = 40
EVERY = 6


@dataclass(slots=True)
class Renamed(Lines):
    """Connections to a backend whose bucket is called otherwise than the workspace."""

    bucket: str = ""

    def ask(self, *questions: Question) -> Sequence[Response]:
        """The answers to questions that name the workspace."""
        moved = [
            replace(each, target=each.target.replace(f"/{WORKSPACE}", f"/{self.bucket}", 1))
            for each in questions
        ]
        return Lines.ask(self, *moved)


class CollectedLives(Lives):
    """Two artifacts side by side, each with its model; gc every few steps."""

    removed = 0

    @invariant()
    def gc_takes_only_what_nobody_needs(self) -> None:
        if self.step % EVERY:
            return
        before = held(self.gateway, self.folder)
        told = collect(self.gateway, delete=False)
        assert held(self.gateway, self.folder) == before
        swept = collect(self.gateway, delete=True)
        assert (swept.garbage, swept.bytes, swept.left) == (told.garbage, told.bytes, [])
        gone = swept.below(self.folder)
        left = {named: size for named, size in before.items() if named not in gone}
        assert held(self.gateway, self.folder) == left
        type(self).removed += len(gone)
        self.everybody_sees_what_the_model_says()
        for name, life in self.lives.items():
            if life.version and not life.open:
                self._only_what_is_needed_is_left(f"{self.folder}/{name}/", left)

    def _only_what_is_needed_is_left(self, prefix: str, left: Versions) -> None:
        """At a committed artifact's keys: the newest, and what readers may ask for by its id."""
        reader, writer = self.gateway.s3("read"), self.gateway.s3()
        for (key, version), size in left.items():
            if size is None or not key.startswith(prefix):
                continue
            asked = {"Bucket": self.gateway.workspace, "Key": key}
            if outcome(lambda: reader.head_object(**asked, VersionId=version)) != (200, ""):  # noqa: B023
                assert writer.head_object(**asked)["VersionId"] == version, (key, version)


@pytest.mark.timeout(LIMIT_SECONDS)
def test_random_lives_with_gc_are_as_the_model_says(tended: Gateway) -> None:
    steps = int(os.environ.get("MODEL_STEPS", SUITE_STEPS))
    lines = Lines(tended.port)
    backend = Renamed(tended.backend.port, bucket=bucket_of(tended))
    CollectedLives.gateway, CollectedLives.lines, CollectedLives.backend = tended, lines, backend
    CollectedLives.steps = CollectedLives.removed = 0
    with closing(lines), closing(backend):
        live(CollectedLives, steps)
    assert CollectedLives.steps >= steps
    assert CollectedLives.removed > 0
