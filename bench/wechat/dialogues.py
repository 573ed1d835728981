"""How many dialogues reach their goal on WeChat, and how fast replies are, with the product running behind a simulator.

    python -m bench.wechat.dialogues [--data FOLDER] [--rounds N] [--at-once N]

The product must run with the same settings, SUQIUTONG_WECHAT_API_URL on a free port of this machine among them: the
simulator listens there. What a resident is shown decides; of the product's database only the kinds of the messages are
read, which WeChat does not show. A dialogue is a line of `dialogues.jsonl`: `turns` of `say` and `expect` (one message
of one of `kinds`, every `must` and no `must_not` in what is shown). `{number}` and `{code}` are those of the ticket
filed before; a turn with `when` is said while the last message is of one of these kinds, at most `times` times, and is
not counted without expectations; a turn with `new_session` is said by somebody else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.answers.measure import holds
from channels.store import RESIDENT, transcript
from channels.wechat.login import conversation_of
from channels.wechat.simulator import Simulator
from channels.wechat.store import Box
from petitions import parse_reference
from suqiutong.settings import read_settings
from suqiutong.wiring import Services

HERE = Path(__file__).parent
Turn = Mapping[str, Any]
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Heard:
    """What a resident is shown after a message, and the kinds of the messages in it."""

    text: str
    kinds: tuple[str, ...]


@dataclass
class Follower:
    """Somebody on WeChat who writes and reads."""

    simulator: Simulator
    services: Services
    openid: str = field(default_factory=lambda: f"o-{secrets.token_hex(8)}")
    _known: int = 0

    async def say(self, text: str) -> Heard:
        """Write, and wait until something is shown, at once or later."""
        shown = self.simulator.residents[self.openid].shown
        before, deadline = len(shown), time.monotonic() + WAIT_SECONDS
        await self.simulator.write(self.openid, text)
        while len(shown) == before and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        # Safety advice is shown before it is stored.
        while not (kinds := await asyncio.to_thread(self._kinds)) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        return Heard("\n".join(one.text for one in shown[before:]), kinds)

    def _kinds(self) -> tuple[str, ...]:
        """The kinds of the replies since the last time, as the product keeps them."""
        with self.services.sessions() as session:
            conversation = conversation_of(session, Box(self.services.secret), self.openid)
            rows = transcript(session, conversation) if conversation else []
        new = [row for row in rows if row.number > self._known]
        self._known = max((row.number for row in rows), default=self._known)
        return tuple(row.kind for row in new if row.kind != RESIDENT)


def meets(heard: Heard, expect: Mapping[str, Sequence[str]], known: Mapping[str, str]) -> bool:
    """Whether what was heard has one of the kinds, all of `must` and none of `must_not`."""
    must = [_filled(part, known) for part in expect.get("must", ())]
    kinds = expect.get("kinds")
    return (
        (not kinds or bool(set(kinds) & set(heard.kinds)))
        and all(must)
        and holds(heard.text, {"must": must})
        and not any(holds(heard.text, {"must": [part]}) for part in expect.get("must_not", ()))
    )


async def play(turns: Sequence[Turn], follow: Callable[[], Follower]) -> list[tuple[str, Heard, bool]]:
    """Play a dialogue: each counted turn with what was heard, and whether it is what was expected."""
    follower, known = follow(), {"number": "", "code": ""}
    heard, counted = Heard("", ()), list[tuple[str, Heard, bool]]()
    for turn in turns:
        for _ in range(turn.get("times", 1)):
            if "when" in turn and (heard.kinds[-1:] or ("",))[0] not in turn["when"]:
                break
            said = _filled(turn["say"], known)
            heard = await (follow() if turn.get("new_session") else follower).say(said)
            if "ticket" in heard.kinds:
                reference = parse_reference(heard.text)
                known = {"number": reference.number or "", "code": reference.code or ""}
            if any(turn["expect"].values()):
                counted.append((said, heard, meets(heard, turn["expect"], known)))
    return counted


def _filled(text: str, known: Mapping[str, str]) -> str:
    return text.replace("{number}", known["number"]).replace("{code}", known["code"])


def read(folder: Path) -> list[dict[str, Any]]:
    """The dialogues of a folder."""
    return [json.loads(line) for line in (folder / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()]


async def measure(
    services: Services, dialogues: Sequence[Mapping[str, Any]], *, at_once: int = 1, show: bool = False
) -> dict[str, float]:
    """The figures of all dialogues: shares from 0 to 1, times in seconds, counts.

    Args:
        services: With the settings of the running product.
        dialogues: From `read`.
        at_once: So many residents write at the same time.
        show: Print what was not as expected.

    Raises:
        LookupError: the settings name no WeChat account, or none whose interfaces are on this machine.
    """
    account = services.wechat
    address = urlsplit(account.api_url) if account else None
    if account is None or address is None or address.hostname not in {"127.0.0.1", "localhost"} or not address.port:
        raise LookupError("SUQIUTONG_WECHAT_API_URL must name a free port of this machine")
    simulator = Simulator(account, callback=f"{services.settings.web_url}/wechat")
    seats = asyncio.Semaphore(at_once)

    async def run(turns: Sequence[Turn]) -> list[tuple[str, Heard, bool]]:
        async with seats:
            return await play(turns, lambda: Follower(simulator, services))

    async with simulator.serve(address.port):
        played = await asyncio.gather(*(run(dialogue["turns"]) for dialogue in dialogues))
    reached = [all(is_met for _, _, is_met in counted) for counted in played]
    met = [is_met for counted in played for _, _, is_met in counted]
    for dialogue, counted in zip(dialogues, played, strict=True):
        for said, heard, is_met in counted:
            if show and not is_met:
                print(f"{dialogue['id']}: {said}\n  {','.join(heard.kinds)}: {heard.text[:400]}")
    seconds = sorted(simulator.reply_seconds)
    shown = [one.how for resident in simulator.residents.values() for one in resident.shown]
    return {
        "dialogues": sum(reached) / len(reached),
        "turns": sum(met) / len(met),
        "replies": len(seconds),
        "p50 s": seconds[ceil(0.5 * len(seconds)) - 1],
        "p95 s": seconds[ceil(0.95 * len(seconds)) - 1],
        "slowest s": seconds[-1],
        "deliveries closed after 5 s": simulator.closed,
        "answers sent later": simulator.silent,
        "faults shown": shown.count("fault"),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Dialogues on a simulated WeChat with the running product.")
    parser.add_argument("--data", type=Path, default=HERE, help="folder with dialogues.jsonl; by default the own ones")
    parser.add_argument("--rounds", type=int, default=1, help="play all of them so often, each by somebody new")
    parser.add_argument("--at-once", type=int, default=1, help="so many residents write at the same time")
    arguments = parser.parse_args()
    dialogues = read(arguments.data) * arguments.rounds
    figures = asyncio.run(measure(Services(read_settings()), dialogues, at_once=arguments.at_once, show=True))
    for name, value in figures.items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    main()
