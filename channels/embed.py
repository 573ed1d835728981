"""Which sites may show the resident's page in a frame of theirs."""

from __future__ import annotations

from web.guard import SECURITY_HEADERS

PATH = "/embed"
_POLICY = "Content-Security-Policy"
_NOBODY = "frame-ancestors 'none'"


class Embedding:
    """The sites of a setting.

    Args:
        origins: Such as `https://www.example.gov.cn`, separated by spaces; empty: none.
    """

    def __init__(self, origins: str) -> None:
        self.origins = origins.split()

    def __bool__(self) -> bool:
        return bool(self.origins)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the page that these sites may hold."""
        ancestors = f"frame-ancestors {' '.join(self.origins)}"
        return {_POLICY: SECURITY_HEADERS[_POLICY].replace(_NOBODY, ancestors)}
