"""The drafts of replies: each can be filled, and one that cannot is refused when it is read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from desk.replies import draft, drafts_for, own_drafts, read_drafts
from petitions import Petition
from petitions.data import DataError
from petitions.lifecycle import own_lifecycle


def ticket(**more: object) -> Petition:
    known = {
        "number": "GM2603020000017",
        "filed_at": datetime(2026, 3, 2, 18, tzinfo=UTC),
        "unit": "碧眼社区群众诉求服务大厅",
        "class_": "投诉",
        "category": ["城乡建设", "城市建设和市政管理", "环境卫生"],
        "topic": "城乡建设",
        "state": "accepted",
    }
    return Petition(**known | more)


def test_a_draft_is_filled_with_what_is_known() -> None:
    text = draft(ticket(), "done")
    assert "您于2026年3月3日反映的“环境卫生”事项（工单GM2603020000017）已由碧眼社区群众诉求服务大厅办理" in text
    assert "{" not in text
    assert draft(ticket(), "question") == draft(ticket(), "no_such") == ""


def test_every_ticket_that_may_be_replied_to_has_a_draft_or_none_is_made_for_its_class() -> None:
    for state in own_lifecycle().groups["working"]:
        for class_ in ("投诉", "举报", "求助", "咨询", "建议"):
            for name in drafts_for(ticket(state=state, class_=class_)):
                assert draft(ticket(state=state, class_=class_), name)
            assert drafts_for(ticket(state=state, class_=class_)), (state, class_)
    assert all(one.source for one in own_drafts().replies.values())


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("text: '您好{name}'", "placeholder"),
        ("text: x, states: [limbo]", "state"),
        ("text: x, classes: [牢骚]", "class"),
        ("text: x, topics: [天气]", "topic"),
    ],
)
def test_a_draft_that_cannot_be_used_is_refused_by_name(tmp_path: Path, field: str, fault: str) -> None:
    path = tmp_path / "replies.yml"
    path.write_text(f"as_of: 2026-11-26\nreplies:\n  one: {{label: x, source: y, {field}}}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"replies\.one: .*unknown {fault}"):
        read_drafts(path)
