from xml.etree import ElementTree as ET

import pytest

from gateway.artifact.badge import badge, short

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (0.004, "0"),
        (0.5, "0.5"),
        (0.25, "0.25"),
        (1, "1"),
        (10, "10"),
        (12.34, "12.3"),
        (99.96, "100"),
        (100, "100"),
        (999, "999"),
        (999.6, "1k"),
        (1_000, "1k"),
        (1_234, "1.2k"),
        (123_456, "123k"),
        (999_949, "1M"),
        (1_500_000, "1.5M"),
        (2_000_000_000, "2G"),
    ],
)
def test_numbers_are_shortened_to_what_can_be_read(number: float, shown: str) -> None:
    assert short(round(number * 1_000_000)) == shown


def test_a_badge_is_an_image_that_can_be_read_out() -> None:
    root = ET.fromstring(badge("downloads", 1_234_000_000))  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-label") == "downloads: 1.2k"
    assert [each.text for each in root.iter(f"{SVG}text")] == ["downloads", "1.2k"]
    widths = [int(each.get("width") or "") for each in root.iter(f"{SVG}rect")]
    assert widths[0] == widths[1] + widths[2] == int(root.get("width") or "")


def test_a_label_is_text_and_no_markup() -> None:
    root = ET.fromstring(badge('<b>&"', 0))  # noqa: S314 - our own
    assert [each.text for each in root.iter(f"{SVG}text")] == ['<b>&"', "0"]
