"""A disk of its own for the data: it can be full, hold a file fast, and lose its power."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Only what a program has asked to be written reaches the disk before a power cut: nothing is written by itself.
MOUNT_OPTIONS = "loop,commit=300"
# In memory where there is some: the image stands for the disk, so what it costs is none of the product's.
MEMORY = Path("/dev/shm")  # noqa: S108 - the file gets a name that nobody knows


class Disk:
    """An ext4 file system in a file, mounted at `folder`; only root can make one."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._scratch = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self._image = self._scratch / "disk.img"
        folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-m", "0", self._image)
        self._mount()

    def cut_power(self) -> None:
        """Lose what has not reached the disk; nothing may have a file open afterwards, so `restore` comes next."""
        copy = self._scratch / "as-it-was.img"
        _run("cp", "--sparse=always", self._image, copy)

    def restore(self) -> None:
        """Mount the disk as the power cut left it."""
        _run("umount", self.folder)
        (self._scratch / "as-it-was.img").replace(self._image)
        self._mount()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is free."""
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            try:
                for size in (1 << 20, 1 << 10):
                    _fill(file.fileno(), bytes(size))
                yield
            finally:
                filler.unlink()

    @contextmanager
    def read_only(self, names: str) -> Iterator[None]:
        """Nobody, not even root, can write to the files of this pattern."""
        paths = [str(path) for path in self.folder.rglob(names)]
        _run("chattr", "+i", *paths)
        try:
            yield
        finally:
            _run("chattr", "-i", *paths)

    def close(self) -> None:
        """Take it away."""
        _run("umount", "--lazy", self.folder)
        shutil.rmtree(self._scratch)

    def _mount(self) -> None:
        _run("mount", "-o", MOUNT_OPTIONS, self._image, self.folder)
        self.folder.chmod(0o755)


def is_possible() -> bool:
    """Whether this account may make such a disk here."""
    return (
        os.geteuid() == 0
        and all(map(shutil.which, ("mkfs.ext4", "mount", "chattr")))
        and Path("/dev/loop-control").exists()
    )


def _fill(descriptor: int, block: bytes) -> None:
    try:
        while True:
            os.write(descriptor, block)
    except OSError:
        return  # full


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)  # noqa: S603 - our own commands
