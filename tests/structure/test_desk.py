"""Every route of the desk declares who may enter, every field, clock, role and state has its word."""

from pathlib import Path

from starlette.routing import Mount

import desk
from desk.accounts import PERSONS
from desk.app import create_app
from desk.clock_words import unnamed_clocks
from desk.entry import entries_of, routes_of
from desk.texts import TEXTS
from petitions.lifecycle import own_lifecycle
from tests.unit.desk.fakes import desk_on

OPEN = {"/login", "/login/oidc", "/login/oidc/back", "/vendor/{version}/{name}"}
FOLDER = Path(desk.__file__).parent


def test_every_route_declares_who_may_enter():
    application = create_app(desk_on(None))
    routes = routes_of(application)
    assert len(routes) > 15
    for route in routes:
        declared = entries_of(route)
        assert len(declared) == 1, f"{route.path} declares {len(declared)} rules of who may enter"
        assert (declared[0].roles is None) == (route.path in OPEN), route.path
    others = [route for route in application.routes if not hasattr(route, "original_router")]
    assert [type(route) for route in others] == [Mount], "only the fixed files stand outside of the routers"


def test_every_entry_of_the_navigation_has_a_word():
    declared = {entry.menu for route in routes_of(create_app(desk_on(None))) for entry in entries_of(route)} - {""}
    assert declared
    assert declared <= set(TEXTS.all["menu"])


def test_every_word_of_the_tables_is_there():
    lifecycle = own_lifecycle()
    assert set(lifecycle.fields) == set(TEXTS.all["fields"])
    assert set(TEXTS.all["groups"]) <= set(lifecycle.groups)
    assert unnamed_clocks() == set()
    assert {*map(str, PERSONS)} <= set(TEXTS.all["roles"])


def test_templates_hold_no_script_no_style_and_nothing_unescaped():
    for path in FOLDER.glob("templates/*.html"):
        text = path.read_text(encoding="utf-8")
        assert "style=" not in text, path.name
        assert "safe }}" not in text, path.name
        assert text.count("<script") == text.count("<script src="), path.name
