"""Lists and tables as files: masked, within a limit, and each written down."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Annotated, Any, BinaryIO, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from desk import audit
from desk.bounds import bounded
from desk.entry import CASEWORKERS, Entry, Person
from desk.errors import DeskError
from desk.figures import Table
from desk.periods import PeriodError, selection_of
from desk.reports import REPORT, Reports, table_of
from desk.services import Services
from petitions.clocks import SHANGHAI
from petitions.export import Row, as_csv, petition_rows, write_xlsx
from storage import begin_writing

MOST_ROWS = 100_000
# A list is masked and read petition by petition: it may take longer than a page.
LIST_SECONDS = 300
_CHUNK_BYTES = 65_536
_IN_MEMORY_BYTES = 4_000_000
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
LIST = Entry(CASEWORKERS)
Format = Literal["csv", "xlsx"]


def exports_router(services: Services, reports: Reports) -> APIRouter:
    """The files; each is whole before its first byte goes out: its rows are known, and no reader is waited for."""
    router = APIRouter(prefix="/reports/export")

    @router.get("/list.{kind}")
    def get_list(request: Request, kind: Format, person: Annotated[Person, Depends(LIST)]) -> Response:
        """The tickets of a selection that the person may see."""
        try:
            selection = selection_of(request.query_params.multi_items())
        except PeriodError as error:
            raise DeskError("not_found") from error
        now = services.clock()
        with (
            services.sessions() as session,
            bounded(session, LIST_SECONDS),
            closing(petition_rows(session, person.member.actor, selection, services.keyring, now=now)) as rows,
        ):
            file, count = _written(rows, kind)
        _note(services, person, "export_list", kind, {"filter": selection.to_query(), "rows": count})
        return _reply(file, kind, f"tickets-{now.astimezone(SHANGHAI):%Y%m%d-%H%M}")

    @router.get("/{name}.{kind}")
    def get_table(request: Request, name: str, kind: Format, person: Annotated[Person, Depends(REPORT)]) -> Response:
        """A table of a report, all of its rows."""
        table, wanted = table_of(reports, request, person, name)
        file, count = _written(_rows(table), kind)
        asked = wanted.period
        given: dict[str, Any] = {"since": asked.since_on.isoformat(), "until": asked.until_on.isoformat()}
        given |= {"unit": wanted.unit} if wanted.unit else {}
        _note(services, person, "export_table", f"{name}.{kind}", {"filter": given, "rows": count})
        return _reply(file, kind, f"{name}-{asked.since_on:%Y%m%d}-{asked.until_on:%Y%m%d}")

    return router


def _rows(table: Table) -> Iterator[Row]:
    yield table.heads
    yield from (tuple(cell.text for cell in row) for row in table.rows)


def _written(rows: Iterable[Row], kind: Format) -> tuple[BinaryIO, int]:
    """A file of the rows, ready to be read, and how many there are without the header.

    Raises:
        DeskError: `export_too_large`.
    """
    count = 0

    def counted() -> Iterator[Row]:
        nonlocal count
        for row in rows:
            if count > MOST_ROWS:
                raise DeskError("export_too_large", most=MOST_ROWS)
            count += 1
            yield row

    file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - it is closed once it is sent
    try:
        if kind == "csv":
            file.writelines(as_csv(counted()))
        else:
            write_xlsx(counted(), file)  # type: ignore[arg-type]
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file, count - 1  # type: ignore[return-value]


def _note(services: Services, person: Person, action: str, subject: str, data: dict[str, Any]) -> None:
    """Write an export down; without that nothing goes out."""
    with services.sessions() as session:
        begin_writing(session)
        audit.note(session, person.member, action, subject, data, now=services.clock())
        session.commit()


def _reply(file: BinaryIO, kind: Format, name: str) -> Response:
    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    headers = {"Content-Disposition": f'attachment; filename="{quote(name)}.{kind}"'}
    return StreamingResponse(chunks(), media_type=_TYPES[kind], headers=headers)
