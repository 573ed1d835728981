"""A message that Rasa cannot keep, in the environment of the bot."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_a_message_whose_conversation_cannot_be_kept_gets_no_answer():
    done = subprocess.run(
        [ROOT / ".venv-bot" / "bin" / "python", "-W", "ignore", Path(__file__).with_name("check_failures.py")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "RASA_TELEMETRY_ENABLED": "false", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"said": {"works": ["已登记"], "fails": []}, "raised": {"fails": True}, "is_bare": True}
