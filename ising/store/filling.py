"""The file that HDF5 fills: a disk that refuses is one error of ours, never one in the middle of HDF5.

HDF5 cannot close a file whose last writes failed; a process that tries may crash.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any


class Filling(io.RawIOBase):
    """A new file for HDF5, as an object. After the first refusal it takes all and writes nothing; `check` says so."""

    def __init__(self, path: Path) -> None:
        self._file = io.FileIO(path, "w+")
        self._error: OSError | None = None

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
        super().close()

    def check(self) -> None:
        """Raise the OSError of the disk, if it refused."""
        if self._error:
            raise self._error

    def finish(self) -> None:
        """Flush what was written to the disk; raises as `check`."""
        self.check()
        os.fsync(self._file.fileno())

    def write(self, data: Any) -> int:
        """Write all of it, or nothing after a refusal."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and not self._error:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Cut or lengthen it."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def flush(self) -> None:
        """Nothing waits to be written."""

    def readinto(self, buffer: Any) -> int | None:
        """As a file."""
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file."""
        return self._file.tell()
