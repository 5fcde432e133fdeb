"""The data folder of one copy: where things lie, and the lock that keeps a second copy out."""

import errno
import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from config.embedded.errors import CannotStart

_NEEDED_MEGABYTES = 400


@dataclass(frozen=True, slots=True)
class DataFolder:
    path: Path

    @property
    def environment(self) -> Path:
        return self.path / "environment"

    @property
    def sandbox_environment(self) -> Path:
        return self.path / "sandbox.environment"

    @property
    def sign_ins(self) -> Path:
        return self.path / "sign-ins.json"

    @property
    def first_order(self) -> Path:
        """Exists once the demo customer has bought something."""
        return self.path / "first-order"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def open(self) -> None:
        """Make the folder. Raises `CannotStart` when it can not be written or has no room."""
        try:
            self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
            for private in (self.keys, self.logs):
                private.mkdir(mode=0o700, exist_ok=True)
            self._try_to_write()
        except OSError as error:
            raise CannotStart(f"{self.path} can not be used for data: {describe(error)}") from error
        free = shutil.disk_usage(self.path).free // 1_000_000
        if free < _NEEDED_MEGABYTES:
            raise CannotStart(
                f"{self.path} has {free} MB free and {_NEEDED_MEGABYTES} MB are needed: "
                "make room, or give another --data"
            )

    def _try_to_write(self) -> None:
        probe = self.path / ".writable"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()

    def write_private(self, path: Path, text: str) -> None:
        """Replace `path` by `text`, readable by us alone, whole or not at all."""
        draft = path.with_name(path.name + ".draft")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


class Lock:
    """Held as long as our process lives, whatever ends it: the kernel drops it, so it can not go stale.

    The number in the file is only for the message, and tells the next start that the last one was killed.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._file = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.last_run_was_killed = False

    def take(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            raise CannotStart(
                f"another copy is running on {self._folder.path} (process {owner}): "
                "stop it, or give another --data and --port"
            ) from None
        self.last_run_was_killed = bool(os.read(self._file, 20).strip())
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def give_back(self) -> None:
        os.ftruncate(self._file, 0)
        os.close(self._file)


def describe(error: OSError) -> str:
    """An operating system's error in the words of somebody who can do something about it."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full: make room, or give another --data"
        case errno.EROFS:
            return "the disk is read-only: give another --data"
        case errno.EACCES | errno.EPERM:
            return (
                f"permission denied for user {os.geteuid()}: it belongs to somebody else; give another --data"
            )
        case errno.ENOTDIR | errno.EEXIST:
            return "there is a file where the folder should be: give another --data"
        case _:
            return f"{(error.strerror or str(error)).lower()}"
