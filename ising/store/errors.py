"""What can go wrong with a store, and a disk that refuses, in one clear line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "allow larger files",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
}


class StoreError(OSError):
    """A store that cannot be written, is damaged, or is held by another process; one line that says what to do."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk says into one line about `path`.

    Raises
    ------
    StoreError
        In place of any OSError, and of the RuntimeError that HDF5 makes of one.
    """
    try:
        yield
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        number = number or next((known for known in ADVICE if f"errno = {known}," in str(error)), None)
        advice = ADVICE.get(number or 0, "see that the disk is there")
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise StoreError(
            f"cannot write {path}: {reason}; all that is finished is kept: {advice} and give the same call again"
        ) from error
