from collections.abc import AsyncIterator

import pytest

from tests.web.noting import Line, Noting, connected
from tests.web.serving import Served, serving


@pytest.fixture
def edge() -> Noting:
    return Noting()


@pytest.fixture
async def served(edge: Noting) -> AsyncIterator[Served]:
    async with serving(edge) as served:
        yield served


@pytest.fixture
async def line(served: Served) -> AsyncIterator[Line]:
    line = await connected(served)
    yield line
    line.writer.close()
