"""What the case work is measured with: queues that can be listed and searched, and plain work that is the same."""

import itertools

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bench.petitions.measure import FILED, LOOKER, NOW, PAGES, plain_filing
from bench.petitions.queues import fill
from petitions.listing import Wanted, count_by_state, list_petitions
from petitions.similar import find_similar
from tests.integration.cases import STATION, file_case, route


def rows(session: Session) -> list[int | None]:
    """How many rows each table of a filing has."""
    return [session.scalar(select(func.count()).select_from(model)) for model in FILED]


def test_a_made_up_queue_is_listed_searched_and_added_to(engine: Engine) -> None:
    fill(engine, 300, now=NOW)
    with Session(engine) as session:
        assert sum(count_by_state(session, LOOKER, now=NOW).values()) == 300
        assert len(list_petitions(session, LOOKER, Wanted(search="社区"), now=NOW).petitions) == 50
        for wanted in PAGES.values():
            list_petitions(session, LOOKER, wanted, now=NOW)
        petition = list_petitions(session, LOOKER, now=NOW).petitions[0]
        assert find_similar(session, petition.matter, b"", least=0)[0].petition is petition
    with Session(engine) as session:
        file_case(session, now=NOW, where=route(STATION))


def test_plain_filing_writes_what_filing_writes(engine: Engine) -> None:
    file_plainly = plain_filing(engine, itertools.count())
    with Session(engine) as session:
        once = rows(session)
    with Session(engine) as session:
        file_plainly(session)
    with Session(engine) as session:
        assert rows(session) == [2 * count for count in once]
