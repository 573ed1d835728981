"""A device that many use one after another: what one leaves is gone before the next comes."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from fastapi import Request
from fastapi.responses import Response

from web.requests import address_of, set_cookie

COOKIE = "kiosk"
_YEAR_HOURS = 24 * 365


class Kiosks:
    """Knows which browsers stand where everybody uses them.

    Args:
        addresses: Networks of such devices, separated by commas, such as `10.1.2.0/28`.
        idle_minutes: After how many minutes without use what was said is cleared.
    """

    def __init__(self, addresses: str, *, idle_minutes: int) -> None:
        self._networks = [ip_network(part.strip()) for part in addresses.split(",") if part.strip()]
        self._seconds = idle_minutes * 60

    def idle_seconds(self, request: Request) -> int:
        """After how long without use this browser is cleared; 0 for a device of somebody's own."""
        return self._seconds if request.cookies.get(COOKIE) == "1" or self._stands_in_a_hall(request) else 0

    def mark(self, response: Response, request: Request, *, is_kiosk: bool) -> None:
        """Make this browser a kiosk, or somebody's own again."""
        set_cookie(response, request, COOKIE, "1" if is_kiosk else "0", hours=_YEAR_HOURS)

    def _stands_in_a_hall(self, request: Request) -> bool:
        try:
            address = ip_address(address_of(request))
        except ValueError:
            return False
        return any(address in network for network in self._networks)
