"""The builds of a knowledge base: each in its own folder, the one in use behind a link that is replaced at once."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.library import replace_sources

KEPT = 5
SOURCES = "sources"
_BEFORE = "before"
_PART = ".part"


class Builds:
    """All builds of the base at `link`, in the folder `<link>-builds` beside it.

    Whoever changes something holds `lock`. A process that is killed leaves the link as it was, and at most a folder
    that the next one clears away.
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self._folder = link.with_name(f"{link.name}-builds")

    @contextmanager
    def lock(self, report: Callable[[str], None]) -> Iterator[None]:
        """Change one at a time; a second process waits. The system frees the lock of a process that dies."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("  waiting for another command that changes the knowledge base …")
                fcntl.flock(file, fcntl.LOCK_EX)
            self._put_in_order()
            yield

    @property
    def current(self) -> Path | None:
        """The folder of the build in use."""
        return self.link.resolve() if self.link.exists() else None

    @property
    def before(self) -> Path | None:
        """The build before the one in use."""
        try:
            number = (self.link / _BEFORE).read_text(encoding="utf-8")
        except OSError:
            return None
        folder = self._folder / number
        return folder if number.isdecimal() and folder.is_dir() else None

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """An empty folder for a new build; gone when something fails."""
        folder = self._folder / f"{max(self._numbers(), default=0) + 1}{_PART}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, staged: Path, sources: Path) -> None:
        """Bring a whole build into use, and with it the added documents that it was made from.

        Args:
            staged: From `stage`, complete.
            sources: Folder of the added documents, made to hold what the build's own `sources` holds.
        """
        if self.current:
            (staged / _BEFORE).write_text(self.current.name, encoding="utf-8")
        for path in staged.rglob("*"):
            if path.is_file():
                _flush(path)
        folder = staged.with_suffix("")
        staged.rename(folder)
        try:
            self.use(folder, sources)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        for number in sorted(self._numbers())[:-KEPT]:
            if self._folder / str(number) != self.current:
                shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def use(self, folder: Path, sources: Path) -> None:
        """Bring one of the builds into use, with its added documents.

        The documents come first: killed between the two, what was made from what no longer fits, and the next start
        builds from the documents.
        """
        replace_sources(sources, folder / SOURCES)
        half = self.link.with_name(f".{self.link.name}{_PART}")
        half.unlink(missing_ok=True)
        half.symlink_to(Path(self._folder.name) / folder.name)
        half.replace(self.link)

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()]

    def _put_in_order(self) -> None:
        """Clear away what a killed process left, and take in a base that is a folder and no link."""
        for path in self._folder.glob(f"*{_PART}"):
            shutil.rmtree(path, ignore_errors=True)
        if self.link.is_dir() and not self.link.is_symlink():
            self.link.rename(self._folder / str(max(self._numbers(), default=0) + 1))
        numbers = self._numbers()
        if numbers and not self.link.exists():
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(Path(self._folder.name) / str(max(numbers)))


def _flush(path: Path) -> None:
    """Have a file on the disk before anything points to it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
