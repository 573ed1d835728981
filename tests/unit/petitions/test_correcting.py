"""A route as a person corrects it."""

from dataclasses import replace

import pytest

from petitions import correct
from petitions.correcting import CORRECTABLE, value_of
from tests.integration.cases import DISTRICT, HALL, STATION, route

ACCUSATION = "检举控告"


def corrected(changes, where=None):
    return correct(where or route(), changes, accusation=ACCUSATION, reason="张三改动")


def test_without_changes_a_route_stays_as_it_is():
    assert corrected({}) == route()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class", "求助"),
        ("category", "环境保护 / 环境污染 / 噪音污染"),
        ("unit", HALL),
        ("office", "综合行政执法办"),
        ("priority", "urgent"),
    ],
)
def test_each_field_is_changed_and_told(name, value):
    found = corrected({name: value})
    assert value_of(found, name) == value
    assert found.reasons == (*route().reasons, "张三改动")
    kept = {other for other in CORRECTABLE if value_of(found, other) == value_of(route(), other)}
    assert kept == {*CORRECTABLE} - {name}


def test_level_community_and_office_follow_the_unit():
    found = corrected({"unit": HALL}, replace(route(), office="某科室"))
    assert (found.level, found.office, found.community) == ("6", None, "碧眼")
    found = corrected({"unit": "白花社区群众诉求服务大厅"})
    assert (found.level, found.community) == ("N", "白花")
    assert corrected({"unit": HALL, "office": "城市建设办"}).office == "城市建设办"


def test_what_becomes_an_accusation_is_restricted_and_goes_to_the_top():
    found = corrected({"class": ACCUSATION})
    assert (found.is_restricted, found.unit, found.level, found.office) == (True, DISTRICT, "1", None)
    assert corrected({"class": ACCUSATION, "unit": STATION}).unit == STATION


def test_what_was_found_to_be_an_accusation_stays_restricted():
    secret = replace(route(DISTRICT, class_=ACCUSATION), is_restricted=True)
    assert corrected({"class": "投诉"}, secret).is_restricted
    assert corrected({"priority": "urgent"}, secret).unit == DISTRICT
