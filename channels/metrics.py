"""What is counted, in a registry of each application's own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters and times of the channels."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "suqiutong_http_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.replies = Counter("suqiutong_chat_replies", "Replies by kind.", ["kind"], registry=self.registry)
        self.refusals = Counter("suqiutong_refusals", "Refused requests by code.", ["code"], registry=self.registry)
        self.locked = Counter(
            "suqiutong_figure_lock", "Messages held back for a figure that nothing proves.", registry=self.registry
        )
        self.switched_off = Gauge("suqiutong_switch_off", "Whether a switch is off.", ["name"], registry=self.registry)
        self.waiting = Gauge("suqiutong_chat_waiting", "Messages that wait for an answer.", registry=self.registry)
        self.understanding_seconds = Histogram(
            "suqiutong_understanding_seconds", "Time Rasa takes for a message.", registry=self.registry
        )

    def count_request(self, route: str, status: str) -> None:
        """Count one request."""
        self.requests.labels(route, status).inc()
