"""`python -m suqiutong`."""

from suqiutong.cli import app

app()
