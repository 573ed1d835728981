import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suqiutong import supervise as supervise_module
from suqiutong.supervise import KEPT_LOGS, LAST_LINES, rotate, supervise

# A process whose child outlives it unless the whole group is ended.
PARENT = "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
PARENT += "open(sys.argv[1], 'w').write(str(c.pid)); time.sleep(60)"


@pytest.fixture
def lines():
    return []


@pytest.fixture
def run(tmp_path, lines):
    def run(commands, on_tick=lambda: None):
        logs = tmp_path / "log"
        return supervise(
            commands, logs=logs, folder=tmp_path, environment=os.environ, report=lines.append, on_tick=on_tick
        )

    return run


def python(code, *arguments):
    return f'{sys.executable} -c "{code}" {" ".join(map(str, arguments))}'


def is_alive(pid):
    # The state after the last bracket: a process that has ended but was not yet collected is a zombie.
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def is_dead_soon(pid, seconds=10):
    """A process that was killed is gone only once the system has come to it."""
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def wait_for(path):
    while not path.exists() or not path.read_text():
        time.sleep(0.05)


def test_one_that_dies_ends_all_and_is_heard(run, lines, tmp_path):
    pid = tmp_path / "pid"
    dies = python("import sys, time; [print('line', n) for n in range(30)]; time.sleep(1); sys.exit(7)")
    assert run({"dies": dies, "stays": python(PARENT, pid)}) == 1
    assert "dies ended by itself (code 7); its last lines:" in lines
    assert lines[-LAST_LINES:] == [f"  line {number}" for number in range(10, 30)]
    assert is_dead_soon(int(pid.read_text()))


def test_one_that_ends_without_error_is_a_failure_too(run, lines):
    assert run({"ends": python("pass"), "stays": python("import time; time.sleep(60)")}) == 1
    assert "ends ended by itself (code 0); its last lines:" in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_without_error(run, lines, tmp_path, number):
    pid = tmp_path / "pid"
    before = signal.getsignal(number)

    def stop_once_started():
        wait_for(pid)
        os.kill(os.getpid(), number)

    assert run({"stays": python(PARENT, pid)}, stop_once_started) == 0
    assert lines == []
    assert is_dead_soon(int(pid.read_text()))
    assert signal.getsignal(number) == before


def test_output_goes_to_the_log_and_warnings_to_the_screen(run, lines, tmp_path):
    run({"talks": python("print('a quiet INFO line'); print('12:00 WARNING area - loud')")})
    assert (tmp_path / "log" / "talks.log").read_text() == "a quiet INFO line\n12:00 WARNING area - loud\n"
    assert lines[0] == "[talks] 12:00 WARNING area - loud"


def test_a_command_that_does_not_exist_leaves_nothing_running(run, tmp_path):
    with pytest.raises(FileNotFoundError):
        run({"stays": python(PARENT, tmp_path / "pid"), "missing": "no-such-program"})
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False).stdout == b""


def test_a_log_does_not_grow_without_end(run, tmp_path, monkeypatch):
    monkeypatch.setattr(supervise_module, "LOG_LIMIT_BYTES", 1000)
    assert run({"speaks": python("[print('x' * 99) for _ in range(35)]")}) == 1
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "log").iterdir()}
    assert sizes == {"speaks.log": 500, "speaks.log.1": 1000, "speaks.log.2": 1000, "speaks.log.3": 1000}


def test_a_full_disk_does_not_stop_a_process_that_speaks(run, lines, monkeypatch):
    def full(_path):
        return Path("/dev/full").open("w", buffering=1)

    monkeypatch.setattr(supervise_module, "_new_log", full)
    # More than a pipe holds: a process that nobody listens to would wait for ever.
    assert run({"speaks": python("[print('x' * 99) for _ in range(3000)]; print('done')")}) == 1
    assert lines[-1].strip() == "done"


def test_old_logs_are_kept_up_to_a_number(tmp_path):
    log = tmp_path / "web.log"
    for start in range(KEPT_LOGS + 3):
        rotate(log)
        log.write_text(str(start))
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"web.log": "7"} | {f"web.log.{age}": str(7 - age) for age in range(1, KEPT_LOGS + 1)}
