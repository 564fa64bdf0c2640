"""The must: a client can't tell the gateway from its backend, but for what the docs list."""

import sys
from pathlib import Path

import pytest

from gateway.s3.operation import OPERATIONS
from tests.differential.cases import SCENES
from tests.differential.run import run

LEAST = {"seaweedfs": 1_000, "moto": 500}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", LEAST)
def test_the_gateway_answers_as_its_backend_does(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(backend, SCENES, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{report.summary()}\n")
    assert not report.failures, "\n".join(report.failures)
    assert len(report.outcomes) >= LEAST[backend]
    if backend == "seaweedfs":
        missing = [o.name for o in OPERATIONS if o.name not in report.operations]
        assert not missing, "an operation needs a case in tests/differential/cases"
