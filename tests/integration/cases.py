"""Petitions and people for the tests of the case work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from petitions.cases import Outcome, act
from petitions.filing import file_petition
from petitions.intake import Draft
from petitions.log import PETITIONER, Actor
from petitions.model import Event, Petition
from petitions.privacy import Keyring
from petitions.rules import Rules
from petitions.triage import Level, Priority, Route
from storage import begin_writing

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
DISTRICT = "光明区群众诉求服务大厅"
HALL = "光明街道群众诉求服务大厅"
OTHER_HALL = "公明街道群众诉求服务大厅"
STATION = "碧眼社区群众诉求服务大厅"
OTHER_STATION = "白花社区群众诉求服务大厅"
KEYRING = Keyring("k1", {"k1": b"1" * 32})
LEVELS: dict[str, Level] = {DISTRICT: "1", HALL: "6", OTHER_HALL: "6", STATION: "N", OTHER_STATION: "N"}
ACCEPTED = {"is_solved": True, "speed": 5, "result": 4, "service": 5, "feedback": 3}
REFUSED = ACCEPTED | {"is_solved": False, "result": 1}


def person(role: str, unit: str) -> Actor:
    """Somebody of a unit."""
    return Actor(f"{role}-{unit[:2]}", role, unit)


def route(unit: str = STATION, *, class_: str = "投诉", priority: Priority = "normal") -> Route:
    """Where a test's petition goes."""
    return Route(
        class_=class_,
        category=("城乡建设", "城市建设和市政管理", "环境卫生"),
        level=LEVELS[unit],
        unit=unit,
        office=None,
        community="碧眼",
        priority=priority,
        flags=(),
        legal_path=None,
        reasons=("事项判断为“环境卫生”",),
        alternatives=(),
        prefix="GM",
    )


def file_case(
    session: Session,
    key: str = "form-1",
    *,
    now: datetime = NOW,
    channel: str = "chat",
    where: Route | None = None,
    rules: Rules | None = None,
    matter: str = "楼下垃圾三天没人清",
) -> Petition:
    """A petition, filed."""
    filed = file_petition(
        session,
        Draft(matter=matter, place="碧眼社区", community="碧眼", name="陈", phone="13800138000"),
        where or route(),
        form_key=key,
        conversation="conversation-1",
        channel=channel,
        secret=b"0" * 32,
        keyring=KEYRING,
        now=now,
        rules=rules,
    )
    return session.scalars(select(Petition).where(Petition.number == filed.number)).one()


def step(
    session: Session, petition: Petition, action: str, actor: Actor = PETITIONER, *, now: datetime = NOW, **fields: Any
) -> Outcome:
    """One step, with nothing but its fields."""
    begin_writing(session)
    return act(session, petition.id, action, actor, fields, now=now)


def actions(session: Session, petition: Petition) -> list[str]:
    """What has happened, in order."""
    events = select(Event.action).where(Event.petition_id == petition.id).order_by(Event.number)
    return list(session.scalars(events))


def run_and_kill(work: Callable[[Callable[[], None]], object], statements: int) -> bool:
    """Work in a process of its own that is killed before its n-th statement; whether it came to its end before.

    Args:
        work: Given a function that counts one more statement, for steps that are none of the database's cursor.
        statements: How many it may make.
    """
    child = os.fork()
    if child == 0:
        done = 0

        def count(*_args: object) -> None:
            nonlocal done
            if done == statements:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1

        try:
            event.listen(Engine, "before_cursor_execute", count)
            work(count)
        except BaseException:  # noqa: BLE001 - a child must never return into the tests
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)
