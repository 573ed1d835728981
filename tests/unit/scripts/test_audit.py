"""What the audit makes of the answers of pip-audit and npm, and that its list of explanations is one."""

import json
from datetime import date

import pytest
import yaml

from scripts import audit
from scripts.audit import Advisory, UnreachableError, batches, compare, pins, read_npm, read_pip_audit

FOUND = Advisory("keras", "2.12.0", ("GHSA-x", "CVE-2024-3660"))


def report(*rows):
    return json.dumps({"dependencies": list(rows), "fixes": []})


def test_advisories_are_read_with_all_their_names():
    vulns = [{"id": "GHSA-x", "aliases": ["CVE-2024-3660"], "fix_versions": ["2.13"], "description": "…"}]
    fine = {"name": "yarl", "version": "1.25.1", "vulns": []}
    assert read_pip_audit(report({"name": "keras", "version": "2.12.0", "vulns": vulns}, fine)) == [FOUND]


@pytest.mark.parametrize(
    "output",
    [
        "",
        "No route to host",
        "[]",
        report({"name": "uv", "skip_reason": "Dependency not found on PyPI and could not be audited: uv (0.13.9)"}),
    ],
)
def test_no_answer_is_no_clean_bill(output):
    with pytest.raises(UnreachableError):
        read_pip_audit(output)


def test_what_npm_says_is_read():
    via = [{"name": "zrender", "url": "https://github.com/advisories/GHSA-a-b-c", "title": "…"}]
    rows = {"zrender": {"via": via}, "echarts": {"via": ["zrender"]}}
    assert read_npm(json.dumps({"vulnerabilities": rows}), {"zrender": "6.1.0"}) == [
        Advisory("zrender", "6.1.0", ("GHSA-a-b-c",))
    ]
    assert read_npm(json.dumps({"vulnerabilities": {}}), {}) == []


@pytest.mark.parametrize("output", ["", json.dumps({"message": "405 Method Not Allowed", "statusCode": 405})])
def test_a_registry_without_advisories_proves_nothing(output):
    with pytest.raises(UnreachableError):
        read_npm(output, {})


def test_what_is_unexplained_and_what_no_longer_applies_is_told():
    explained = {"package": "keras", "advisory": "CVE-2024-3660"}
    outdated = {"package": "sanic", "advisory": "CVE-2022-35920"}
    assert compare([FOUND], [explained]) == ([], [])
    assert compare([FOUND], [outdated]) == ([FOUND], ["sanic CVE-2022-35920"])
    assert compare([], [explained]) == ([], ["keras CVE-2024-3660"])


def test_a_name_stands_once_in_each_batch():
    assert list(batches([("numpy", "1.23.5"), ("yarl", "1"), ("numpy", "1.22.3")])) == [
        [("numpy", "1.22.3"), ("yarl", "1")],
        [("numpy", "1.23.5")],
    ]


def test_every_lock_is_audited():
    locks = {name for names in pins().values() for name in names}
    assert locks == {
        "bot/requirements.txt",
        *(path.name for path in audit.ROOT.glob("requirements*.txt")),
    }
    assert "rasa" in {name for name, _ in pins()}


def test_every_explanation_is_about_a_package_that_is_pinned():
    known = yaml.safe_load((audit.ROOT / "audit.yml").read_text(encoding="utf-8"))["known"]
    for entry in known:
        assert entry.keys() == {"package", "advisory", "reason", "since"}
        assert entry["package"] in {name for name, _ in pins()}
        assert isinstance(entry["since"], date)
        assert len(entry["reason"]) > 8
    assert len({(entry["package"], entry["advisory"]) for entry in known}) == len(known)


def test_where_the_service_does_not_answer_that_is_said_in_one_line(monkeypatch, capsys):
    def silent(_packages, _options=()):
        raise UnreachableError("the advisory database for Python packages cannot be reached")

    monkeypatch.setattr(audit, "python_advisories", silent)
    assert audit.main([]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_outcome_is_the_exit_code(monkeypatch, capsys):
    known = yaml.safe_load((audit.ROOT / "audit.yml").read_text(encoding="utf-8"))["known"]
    explained = [Advisory(entry["package"], "1", (entry["advisory"],)) for entry in known]
    monkeypatch.setattr(audit, "npm_advisories", list)
    for found, code in ((explained, 0), ([*explained, FOUND, Advisory("yarl", "1", ("X",))], 1), (explained[1:], 1)):
        monkeypatch.setattr(audit, "python_advisories", lambda _packages, _options=(), found=found: found)
        assert audit.main([]) == code
    assert "no longer applies" in capsys.readouterr().out
