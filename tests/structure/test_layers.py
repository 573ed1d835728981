"""Who may import whom, and where SQL may stand: read from the source of every package."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MAY_IMPORT = {
    "jurisdiction": set(),
    "storage": set(),
    "telemetry": set(),
    "web": set(),
    "language": {"jurisdiction"},
    "knowledge": {"language", "jurisdiction", "storage"},
    "petitions": {"language", "jurisdiction", "storage"},
    "actions": {"knowledge", "petitions", "language", "jurisdiction"},
    "channels": {"knowledge", "petitions", "language", "jurisdiction", "storage", "web"},
    "desk": {"knowledge", "petitions", "language", "jurisdiction", "storage", "web"},
    "suqiutong": {
        "actions",
        "channels",
        "desk",
        "knowledge",
        "petitions",
        "language",
        "jurisdiction",
        "storage",
        "web",
    },
    "bot": {"language"},
}
FRAMEWORKS = {"rasa", "rasa_sdk", "fastapi", "starlette", "sanic", "uvicorn", "httpx", "jinja2"}
# What every package may use: log lines and counts belong to no layer.
EVERYWHERE = {"telemetry"}
NO_FRAMEWORK = ("jurisdiction", "storage", "telemetry", "language", "knowledge", "petitions")
QUERIES = {"select", "insert", "update", "delete", "union"}
IS_ALIVE = "SELECT 1"

FILES = [path.relative_to(ROOT) for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]
# Where the queries of the transcript, of WeChat, of hand-overs, of the accounts and of who works on what live.
WITH_SQL = {
    Path("channels/store.py"),
    Path("channels/turns.py"),
    Path("channels/waiting.py"),
    Path("channels/wechat/login.py"),
    Path("channels/wechat/media.py"),
    Path("channels/wechat/store.py"),
}
WITH_SQL |= {Path("desk/accounts.py"), Path("desk/sessions.py"), Path("desk/presence.py")}
WITH_SQL |= {Path("desk/queue.py"), Path("desk/live.py"), Path("desk/views.py"), Path("desk/audit.py")}
WITH_SQL |= {Path("desk/drafts.py"), Path("desk/choices.py")}
WITH_SQL |= {Path("channels/handover/store.py"), Path("channels/handover/board.py")}
DOORS = ("actions", "channels", "desk", "web")
WITHOUT_SQL = [path for path in FILES if path.parts[0] in DOORS and path not in WITH_SQL]


def imports(path):
    """Every module that the file imports, with the names taken from it, at any depth of its code."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.module, {alias.name for alias in node.names}


def test_every_package_is_known():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_follow_the_layers(path):
    package = path.parts[0]
    roots = {module.partition(".")[0] for module, _ in imports(path)}
    assert roots & MAY_IMPORT.keys() <= MAY_IMPORT[package] | {package} | EVERYWHERE
    if package in NO_FRAMEWORK:
        assert not roots & FRAMEWORKS


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] == "bot"], ids=str)
def test_rasa_shares_the_encoder_alone(path):
    shared = [(module, names) for module, names in imports(path) if module.partition(".")[0] == "language"]
    assert all(module == "language" and names == {"e5"} for module, names in shared)


def test_the_encoder_needs_nothing_else_of_ours():
    roots = {module for name in ("e5", "weights") for module, _ in imports(Path("language", f"{name}.py"))}
    assert {root for root in roots if root.partition(".")[0] in MAY_IMPORT} == {"language.weights"}


@pytest.mark.parametrize("path", WITHOUT_SQL, ids=str)
def test_no_sql_in_actions_and_routes(path):
    for module, names in imports(path):
        if module.partition(".")[0] == "sqlalchemy":
            assert not names & QUERIES
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != IS_ALIVE:
            assert not node.value.upper().startswith(("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "))
