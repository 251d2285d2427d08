"""One writer at a time: a lock file that names its holder, and that a dead process cannot keep."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from .errors import StoreError, writing

NAME = "lock"


class Lock:
    """Holds the lock of a folder from here to `release`.

    The kernel frees it when the process ends, however it ends, so that a lock left behind is seen to be stale: on this
    host by trying it; one of another host is respected, because not every network file system passes locks on.

    Raises
    ------
    StoreError
        Another process holds it; the message names its pid and host.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        with writing(self.path):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._refuse("")
        if self._holder().get("host", socket.gethostname()) != socket.gethostname():
            self._refuse(f"; if that process is gone, remove {self.path}")
        try:
            with writing(self.path):
                self._write({"pid": os.getpid(), "host": socket.gethostname(), "started": time.time()})
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let others write; the file stays, empty."""
        with suppress(OSError):  # the disk is gone, and with it whoever could mind
            os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)

    def _write(self, holder: dict[str, int | str | float]) -> None:
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(holder).encode(), 0)
        os.fsync(self.descriptor)

    def _holder(self) -> dict[str, object]:
        try:
            holder = json.loads(os.pread(self.descriptor, 4096, 0) or b"{}")
        except ValueError:
            return {}
        return holder if isinstance(holder, dict) else {}

    def _refuse(self, advice: str) -> None:
        holder = self._holder()
        os.close(self.descriptor)
        who = f"process {holder.get('pid', 'unknown')} on host {holder.get('host', 'unknown')}"
        raise StoreError(f"{self.path.parent} is being written by {who}: wait for it, or give another folder{advice}")
