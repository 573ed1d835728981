"""What counts as right in the measurements, and the reliability diagram."""

import xml.etree.ElementTree as ET

import pytest

from bench.answers.measure import draw, holds, read


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("办了13场", True),
        ("办了 1 3 场", True),
        ("办了913场", False),
        ("办了3场", False),
    ],
)
def test_a_number_never_matches_inside_a_longer_one(text: str, is_right: bool) -> None:
    assert holds(text, {"must": ["13场"]}) is is_right


def test_width_and_thousands_separators_make_no_difference() -> None:
    assert holds("岗位９,113个", {"must": ["9113个"], "any_of": ["岗位", "职位"]})
    assert not holds("9113个", {"must": ["9113个"], "any_of": ["岗位", "职位"]})


@pytest.mark.parametrize("name", ["dev", "personas"])
@pytest.mark.parametrize("kind", ["answerable", "unanswerable", "followups"])
def test_every_set_can_be_read(name: str, kind: str) -> None:
    assert read(name, kind)


def test_the_diagram_shows_a_point_for_each_tenth_that_was_given() -> None:
    picture = ET.fromstring(draw([(0.05, False), (0.95, True), (1.0, True)]))
    assert len(picture.findall("{http://www.w3.org/2000/svg}circle")) == 2
