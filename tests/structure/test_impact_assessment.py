"""The impact assessment says of every kind of data exactly how long the code keeps it."""

import re
from datetime import timedelta
from pathlib import Path

from channels.store import TRANSCRIPT_RETENTION
from channels.turns import LABEL_RETENTION
from channels.wechat.login import ATTEMPT_HOURS
from channels.wechat.rules import own_rules
from desk import choices, drafts, sessions
from knowledge import unanswered
from petitions.images import own_photos
from petitions.outbox import own_outbox
from petitions.privacy import own_privacy

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "impact-assessment.md").read_text(encoding="utf-8")
ROWS = re.findall(r"\| (\d+) (天|小时) \|[^|]*\| `([^`]+)` \|$", DOCUMENT, re.MULTILINE)
# Random names, times, public texts, and who of the office looks at what now.
NOTHING_PERSONAL = {
    *("petitioner", "running_clock", "access_token", "wechat_token", "curated_entry", "curated_version"),
    *("presence", "saved_view", "handover_typing"),
}
UNITS = {"天": "days", "小时": "hours"}


def kept():
    """How long each rule of the code keeps what it is about."""
    wechat = own_rules()
    # Rasa's environment has modules that this one lacks.
    bot = (ROOT / "bot" / "conversations.py").read_text(encoding="utf-8")
    rasa_hours = int(re.search(r"^KEPT_SECONDS = (\d+) \* 3600$", bot, re.MULTILINE)[1])
    return {f"petitions/privacy.yml {kind}": timedelta(days=days) for kind, days in own_privacy().retention.items()} | {
        "channels/store.py TRANSCRIPT_RETENTION": TRANSCRIPT_RETENTION,
        "channels/turns.py LABEL_RETENTION": LABEL_RETENTION,
        "knowledge/unanswered.py RETENTION": unanswered.RETENTION,
        "desk/choices.py RETENTION": choices.RETENTION,
        "desk/drafts.py LONGEST": drafts.LONGEST,
        "desk/sessions.py ATTEMPTS_KEPT": sessions.ATTEMPTS_KEPT,
        "bot/conversations.py KEPT_SECONDS": timedelta(hours=rasa_hours),
        "petitions/photos.yml staged_hours": timedelta(hours=own_photos().staged_hours),
        "channels/wechat/login.py ATTEMPT_HOURS": timedelta(hours=2 * ATTEMPT_HOURS),
        "petitions/outbox.yml kept_days": timedelta(days=own_outbox().kept_days),
        "channels/wechat/rules.yml kept_hours": timedelta(hours=wechat.kept_hours),
        "channels/wechat/rules.yml kept_answers_days": timedelta(days=wechat.kept_answers_days),
    }


def test_every_period_is_that_of_the_code():
    assert {rule: timedelta(**{UNITS[unit]: int(count)}) for count, unit, rule in ROWS} == kept()


def test_every_file_that_is_named_exists():
    named = set(re.findall(r"`((?:[a-z]+/)+[\w.-]+\.(?:py|yml|md))", DOCUMENT))
    assert len(named) > 15
    assert not {name for name in named if not (ROOT / name).exists()}


def test_every_table_is_named_or_holds_nothing_of_a_person():
    written = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("petitions", "channels", "desk", "knowledge", "suqiutong", "storage")
        for path in (ROOT / folder).rglob("*.py")
    )
    tables = set(re.findall(r'__tablename__ = "(\w+)"', written))
    places = re.findall(r"^\|[^|]*\| ((?:`\w+`、?)+) \|", DOCUMENT, re.MULTILINE)
    named = {name for place in places for name in re.findall(r"`(\w+)`", place)}
    assert named | NOTHING_PERSONAL == tables
    assert not named & NOTHING_PERSONAL
