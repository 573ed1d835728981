"""Rasa's sealed environment as seen from the product: where it is, and its training."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from suqiutong.errors import CommandError
from suqiutong.settings import ROOT

PYTHON = ROOT / ".venv-bot" / "bin" / "python"
MODEL = "suqiutong.tar.gz"
PREVIOUS_MODEL = "previous.tar.gz"

# Telemetry off; the warnings concern Rasa's own pinned parts, which nobody here can change.
ENVIRONMENT = {
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONUNBUFFERED": "1",
    # scikit-learn starts OpenMP before the sentence vectors can ask for one thread; more only fight for the cores.
    "OMP_NUM_THREADS": "1",
}
STEP = re.compile(r"(?:Starting to train|Restored) component '(\w+)'|(Started validating.*)\.\.\.")


def bot_environment() -> dict[str, str]:
    """The environment of every process that runs Rasa."""
    return {**os.environ, **ENVIRONMENT}


def check_bot() -> None:
    """Raises: CommandError: the environment of Rasa has not been made."""
    if not PYTHON.exists():
        raise CommandError("the environment of Rasa is missing: run `make setup`")


def check_model(path: Path) -> None:
    """Reads the whole archive, whose checksum proves it.

    Raises:
        CommandError: the model is missing or corrupt.
    """
    if not path.is_file():
        raise CommandError(f"there is no model at {path}: run `suqiutong train`")
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
        with tarfile.open(path) as archive:
            archive.getmembers()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise CommandError(f"the model {path} is corrupt: run `suqiutong train`") from error


def usable_model(models: Path, report: Callable[[str], None]) -> Path:
    """The model; the one before where it is missing or corrupt, so that residents are understood meanwhile.

    Args:
        models: Folder of the models.
        report: Told what is wrong with the model, and what to do.

    Raises:
        CommandError: neither of them can be used.
    """
    model, previous = models / MODEL, models / PREVIOUS_MODEL
    try:
        check_model(model)
    except CommandError as error:
        with suppress(CommandError):
            check_model(previous)
            report(f"WARNING: {error}; until then the one before it is used")
            return previous
        raise
    return model


def train(models: Path, log: Path, report: Callable[[str], None]) -> Path:
    """Train a model and put it in place of the present one, which is kept as the previous one.

    Args:
        models: Folder of the models.
        log: File that takes all that Rasa says.
        report: Takes one line a step.

    Returns:
        The new model.

    Raises:
        CommandError: the training failed.
    """
    check_bot()
    models.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".training-", dir=models) as folder:
        new, model, kept = Path(folder) / MODEL, models / MODEL, Path(folder) / PREVIOUS_MODEL
        options = f"--config config.yml --domain bot/domain --data data --fixed-model-name {MODEL.partition('.')[0]}"
        code = _run([str(PYTHON), "-m", "rasa", "train", *options.split(), "--out", folder], log, report)
        if code or not new.is_file():
            raise CommandError(f"the training failed; the end of {log} says why")
        check_model(new)
        with suppress(CommandError):
            # A corrupt one is not worth the whole one that was kept before it.
            check_model(model)
            os.link(model, kept)
            kept.replace(models / PREVIOUS_MODEL)
        return new.replace(model)


def _run(command: list[str], log: Path, report: Callable[[str], None]) -> int:
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(  # noqa: S603 - fixed command
            command,
            cwd=ROOT,
            env=bot_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                file.write(line)
                if step := STEP.search(line):
                    report(next(filter(None, step.groups())))
        except BaseException:  # whoever stops us means the training too
            process.kill()
            raise
    return process.returncode
