"""Sentence vectors are the same in both environments."""

import subprocess

import numpy as np

from language import e5
from suqiutong.rasa import PYTHON, bot_environment
from suqiutong.settings import ROOT

SCRIPT = "from language import e5; print(e5.load().query('路灯坏了').tobytes().hex())"


def test_the_bot_makes_the_vectors_of_the_product():
    made = subprocess.run(
        [PYTHON, "-c", SCRIPT], cwd=ROOT, env=bot_environment(), capture_output=True, text=True, check=True
    )
    assert np.allclose(np.frombuffer(bytes.fromhex(made.stdout), np.float32), e5.load().query("路灯坏了"), atol=1e-4)
