"""The browser libraries that set-up brings from npm, served under addresses that name their version."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from desk.entry import ANYBODY
from web.errors import WebError

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
# Our name of a file: the package, and where the file stands in it.
FILES = {
    "htmx.js": ("htmx.org", "dist/htmx.min.js"),
    "echarts.js": ("echarts", "dist/echarts.min.js"),
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@cache
def _versions() -> dict[str, str]:
    versions: dict[str, str] = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return versions


def vendor_address(name: str) -> str:
    """The address of a library, which changes with its version."""
    return f"/vendor/{_versions()[FILES[name][0]]}/{name}"


def missing_libraries() -> list[str]:
    """The libraries that set-up has not brought."""
    return [package for package, file in FILES.values() if not (MODULES / package / file).is_file()]


def vendor_router() -> APIRouter:
    """The libraries."""
    router = APIRouter()

    @router.get("/vendor/{version}/{name}", dependencies=[Depends(ANYBODY)])
    def get_library(version: str, name: str) -> FileResponse:
        """A file of a library; kept by browsers, since another version has another address."""
        package, file = FILES.get(name, ("", ""))
        path = MODULES / package / file
        if not package or version != _versions()[package] or not path.is_file():
            raise WebError("not_found")
        return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": _FOR_A_YEAR})

    return router
