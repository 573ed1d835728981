import resource
import subprocess
import sys

import pytest

from bench.faults.faults import FAULTS
from bench.faults.residents import TEXTS, _next
from bench.soak import fit
from suqiutong.supervise import read_procfile
from tests.conftest import ROOT


def test_memory_that_grows_is_told_from_memory_that_is_flat():
    warm_up = [(10.0, 100.0), (20.0, 400.0)]
    grown = [(30.0 + 10 * step, 500.0 + step) for step in range(51)]
    assert fit(warm_up + grown, 30.0) == pytest.approx((500.0, 550.0, 0.1))
    flat = [(at, 500.0 + (at % 20)) for at, _ in grown]
    assert abs(fit(flat, 30.0)[2]) < 0.01


def test_every_process_is_killed_and_no_fault_is_named_twice():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))
    assert {f"kill-{name}" for name in read_procfile(ROOT / "Procfile")} <= set(names)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"kind": "confirm", "text": "请核对"}, TEXTS["confirm"]),
        ({"kind": "prompt", "text": "怎么联系您？"}, TEXTS["contacts"][0]),
        ({"kind": "notice", "text": "如果还需要，请再说一次。"}, "上一句"),
        ({"kind": "notice", "text": "请稍后回复“继续登记”再试一次"}, "继续登记"),
        ({"kind": "prompt", "text": "别的"}, TEXTS["otherwise"]),
    ],
)
def test_a_resident_finds_a_word_for_everything(message, said):
    assert _next(message, "上一句", 0) == said


def test_a_server_may_have_more_files_open_than_a_service_begins_with():
    script = (
        "import resource; from suqiutong.processes import FILES, allow_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "allow_files(); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], FILES)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    now, wanted = map(int, done.stdout.split())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert now == (wanted if most == resource.RLIM_INFINITY else min(wanted, most))
