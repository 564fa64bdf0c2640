import pytest

from gateway.artifact.download import ANYBODY, Visit, is_download


@pytest.mark.parametrize(
    ("status", "content_range", "counts"),
    [
        (200, None, True),
        (206, "bytes 0-8388607/104857600", True),
        (206, "bytes 0-2/100", True),
        (206, "bytes 0-99/100", True),
        (206, "bytes 0-99/*", True),
        (206, "bytes 0-1/100", False),
        (206, "bytes 0-0/100", False),
        (206, "bytes 1-99/100", False),
        (206, "bytes 8388608-16777215/104857600", False),
        (206, None, False),
        (206, "multipart", False),
        (204, None, False),
        (304, None, False),
        (404, None, False),
        (416, "bytes */100", False),
        (500, None, False),
    ],
)
def test_a_download_is_whole_or_begins_with_more_than_two_bytes(
    status: int, content_range: str | None, *, counts: bool
) -> None:
    assert is_download(ANYBODY, status, content_range) is counts


def test_what_a_client_has_already_counts_where_it_is_asked_for() -> None:
    assert is_download(ANYBODY, 304, None, not_modified=True)
    assert not is_download(ANYBODY, 412, None, not_modified=True)


def test_robots_download_nothing() -> None:
    robot = Visit(robot=True)
    assert not is_download(robot, 200)
    assert not is_download(robot, 304, not_modified=True)
