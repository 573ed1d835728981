"""The application against its own OpenAPI description: whatever is sent to an operation, the answer is as described."""

from functools import cache
from pathlib import Path

import schemathesis
import yaml
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

import channels
from channels.app import create_app
from channels.rasa import KINDS
from channels.sanitise import strip_hidden
from tests.integration.test_open311 import KEY, KeyedServices
from tests.unit.channels.fakes import OPERATOR_TOKEN, FakeRasa, FakeSettings

MANY = 10_000_000
CONFIG = {
    "generation": {"deterministic": True, "max-examples": 10, "database": "none"},
    "checks": {
        # What a schema cannot say: a text of invisible signs alone, a place elsewhere, a phone number that is none.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", 400, 403, 404, 409, 415, 422]},
        "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 413, 415, 422]},
    },
}
DESCRIPTION = yaml.safe_load(Path(channels.__file__).with_name("openapi.yml").read_text(encoding="utf-8"))
OPEN311 = "/open311/v2/"


class OpenServices(KeyedServices):
    def check_token(self, token, role):
        return "wang" if (token, role) == (OPERATOR_TOKEN, "operator") else super().check_token(token, role)


@cache
def application(_operation=""):
    """Made for each operation: it is closed at the end of its test."""
    settings = FakeSettings(messages_per_minute=MANY, address_messages_per_minute=MANY, lookups_per_minute=MANY)
    return create_app(OpenServices(settings=settings), rasa_transport=FakeRasa().transport)


def described():
    """The description, as a client with a key of Open311 reads it."""
    filing = DESCRIPTION["paths"][f"{OPEN311}requests.{{format}}"]["post"]["requestBody"]
    form = filing["content"]["application/x-www-form-urlencoded"]["schema"]
    form["properties"]["api_key"] = {"enum": [KEY, "wrong"]}
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_dict(DESCRIPTION, config=config)
    schema.app = application()
    return schema


SCHEMA = described()


@SCHEMA.parametrize()
def test_every_operation_answers_as_described(case):
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"} if case.path == "/api/assist" else None
    # The limit is one of signs that can be seen.
    text = case.body.get("text") if isinstance(case.body, dict) else None
    is_shorter = isinstance(text, str) and len(strip_hidden(text)) < len(text)
    unfit = [negative_data_rejection] if is_shorter else None
    case.call_and_validate(app=application(case.operation.label), headers=headers, excluded_checks=unfit)


def test_every_address_is_described():
    served = set()
    for route in (route for router in application().state.routers for route in router.routes):
        served |= {(route.path, method) for method in route.methods if not route.path.startswith(OPEN311)}
    told = {
        (path, method.upper())
        for path, operations in DESCRIPTION["paths"].items()
        for method in operations
        if not path.startswith(OPEN311)
    }
    assert served == told


def test_the_kinds_of_messages_are_described():
    message = DESCRIPTION["components"]["schemas"]["Message"]["properties"]
    assert set(message["kind"]["enum"]) == KINDS
