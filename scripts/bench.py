"""How fast the running product answers: latency and throughput of `POST /api/chat` at one and at eight clients."""

from __future__ import annotations

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import httpx

from suqiutong.settings import read_settings

TEXTS = (
    "你好",
    "去年办了几场招聘会",
    "今年要建多少套保障房",
    "白花洞晚上工地施工太吵",
    "我要查工单进度",
    "今天天气怎么样",
)
MESSAGES = 120
MESSAGES_A_CONVERSATION = 6


def converse(url: str, count: int) -> list[float]:
    """Milliseconds of each of so many messages, in conversations of six."""
    milliseconds = []
    session = None
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        for number in range(count):
            if number % MESSAGES_A_CONVERSATION == 0:
                session = None
            started = time.perf_counter()
            reply = client.post("/api/chat", json={"text": TEXTS[number % len(TEXTS)], "session": session})
            reply.raise_for_status()
            milliseconds.append((time.perf_counter() - started) * 1000)
            session = reply.json()["session"]
    return milliseconds


def main() -> None:
    """Print one line for each number of clients."""
    url = read_settings().web_url
    try:
        httpx.get(f"{url}/readyz", trust_env=False).raise_for_status()
    except httpx.HTTPError:
        sys.exit(f"error: nothing is ready at {url}: start it with `make run`")
    for clients in (1, 8):
        started = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            runs = pool.map(converse, repeat(url, clients), repeat(MESSAGES // clients, clients))
            milliseconds = [value for run in runs for value in run]
        rate = len(milliseconds) / (time.perf_counter() - started)
        cuts = statistics.quantiles(milliseconds, n=20)
        print(f"{clients} clients: p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms, {rate:.0f} messages/s")  # noqa: T201


if __name__ == "__main__":
    main()
