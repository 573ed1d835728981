"""Scripts that run in the environment of the bot, whose Python is not that of the tests."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import ROOT


def run_in_bot(script: Path, *arguments: str, told: Any = None) -> Any:
    """What a script prints in its last line, as JSON; it reads what it is told from its standard input."""
    done = subprocess.run(
        [ROOT / ".venv-bot" / "bin" / "python", "-W", "ignore", script, *arguments],
        input=json.dumps(told),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "RASA_TELEMETRY_ENABLED": "false", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
