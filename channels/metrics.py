"""What the channels count beside what every process does."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from telemetry.metrics import Metrics as CommonMetrics


class Metrics(CommonMetrics):
    """Counters and times of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.replies = Counter("suqiutong_chat_replies", "Replies by kind.", ["kind"], registry=self.registry)
        self.locked = Counter(
            "suqiutong_figure_lock", "Messages held back for a figure that nothing proves.", registry=self.registry
        )
        self.switched_off = Gauge("suqiutong_switch_off", "Whether a switch is off.", ["name"], registry=self.registry)
        self.waiting = Gauge("suqiutong_chat_waiting", "Messages that wait for an answer.", registry=self.registry)
