from datetime import date

import pytest

from suqiutong.doctor import Finding, check_calendar


def test_a_finding_is_one_line():
    assert str(Finding("disk", True, "70 GB free")) == "ok   disk: 70 GB free"
    assert str(Finding("disk", False, "1 GB free")) == "warn disk: 1 GB free"


@pytest.mark.parametrize(("today", "is_ok"), [(date(2020, 5, 1), True), (date(2199, 1, 1), False)])
def test_a_year_without_calendar_is_a_warning(today, is_ok):
    assert check_calendar(today).is_ok is is_ok
