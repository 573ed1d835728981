"""Every sentence that a template or a module asks for exists, and every sentence is asked for."""

import re
from pathlib import Path

import channels
from channels.texts import load_texts

FOLDER = Path(channels.__file__).parent


def found(key):
    here = load_texts()
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


def asked_for():
    templates = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("templates/*.html"))
    modules = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    keys = set(re.findall(r"texts\.((?:[a-z_]+\.)*[a-z_]+)", templates))
    keys = {re.sub(r"\.(format|get)$", "", key) for key in keys}
    return keys | set(re.findall(r'say\(\s*"([a-z_.]+)"', modules)) | set(re.findall(r'notice\("([a-z_.]+)"', modules))


def test_every_sentence_asked_for_exists():
    keys = asked_for()
    assert len(keys) > 60
    assert {key for key in keys if found(key) is None} == set()


def test_no_sentence_is_left_over():
    keys = {key for key in asked_for() if "." in key or not isinstance(found(key), dict)}
    # These are chosen by a value: a fact's status, a problem's field.
    chosen = {"danger.buttons", "ticket.clocks", "ticket.weekdays", "page.achieved", "page.planned"}
    chosen |= {"form.errors", "emergency_phones", "examples", "wechat.hints", "handover.openings", "handover.why"}
    chosen |= {"switches.words"}
    leaves = set()

    def walk(node, path):
        if isinstance(node, dict):
            for name, child in node.items():
                walk(child, [*path, str(name)])
        else:
            leaves.add(".".join(path))

    walk(load_texts(), [])
    unused = {leaf for leaf in leaves if not any(leaf == key or leaf.startswith(f"{key}.") for key in keys | chosen)}
    assert unused == set()
