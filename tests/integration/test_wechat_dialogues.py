"""Whole dialogues on a simulated WeChat with the running product: what a resident is shown there, and in what time."""

import asyncio

import pytest

from bench.wechat.dialogues import HERE, measure, read
from channels.wechat.rules import own_rules
from suqiutong.settings import Settings
from suqiutong.wiring import Services

pytestmark = pytest.mark.rasa


def test_dialogues_reach_their_goal_on_wechat(running, monkeypatch):
    for name, value in running.environment.items():
        if name.startswith("SUQIUTONG_"):
            monkeypatch.setenv(name, value)
    services = Services(Settings(_env_file=None))
    figures = asyncio.run(measure(services, read(HERE)))
    services.engine.dispose()
    assert figures["dialogues"] >= 0.9
    assert figures["slowest s"] < own_rules().closes_seconds
    assert (figures["deliveries closed after 5 s"], figures["faults shown"]) == (0, 0)
