"""Random lives of artifacts, by two writers and a reader, S3 and RPC mixed, against the model.

After every step, views, listings, versions and pins are the model's. `MODEL_STEPS` in the
environment makes it longer: `make model`.
"""

import os
from contextlib import closing

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from tests.acceptance.harness import Gateway
from tests.acceptance.lines import Lines
from tests.acceptance.lives import Lives

SUITE_STEPS = 2_000
STEPS_A_LIFE = 50  # at most; most lives are a little shorter
LONG = "MODEL_STEPS" in os.environ
# In the midst of a request it would be one more failure, which does not come again.
LIMIT_SECONDS = 0 if LONG else 400


def scaled(steps: int) -> settings:
    """How lives of so many steps in all are made up: the same ones each time, in the suite."""
    return settings(
        max_examples=steps // 48 + 2,
        stateful_step_count=STEPS_A_LIFE,
        deadline=None,
        derandomize=not LONG,
        database=None,
        print_blob=LONG,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


def live(kind: type[Lives], steps: int) -> None:
    """Live lives of so many steps in all; AssertionError also for what goes wrong only once."""
    kind.failures = []
    try:
        run_state_machine_as_test(kind, settings=scaled(steps))
    except Flaky as error:
        raise AssertionError(f"not each time:\n{''.join(kind.failures)}") from error


@pytest.mark.timeout(LIMIT_SECONDS)
def test_random_lives_are_as_the_model_says(gateway: Gateway) -> None:
    steps = int(os.environ.get("MODEL_STEPS", SUITE_STEPS))
    lines, backend = Lines(gateway.port), Lines(gateway.backend.port)
    Lives.gateway, Lives.lines, Lives.backend, Lives.steps = gateway, lines, backend, 0
    with closing(lines), closing(backend):
        live(Lives, steps)
    assert Lives.steps >= steps
