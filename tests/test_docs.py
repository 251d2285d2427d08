"""Every Python block of README and documentation runs, page by page and in order; commands have the options shown."""

import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from ceas_physics.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language, in order."""
    return [text for name, text in FENCE.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(page: Path) -> list[list[str]]:
    """The lines of console blocks as words, continued lines joined, comments and prompts left out."""
    text = "\n".join(blocks(page, "console")).replace("\\\n", " ")
    return [words for line in text.splitlines() if (words := shlex.split(line.removeprefix("$ "), comments=True))]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    names = {"__name__": page.stem}
    try:
        for block in blocks(page, "python"):
            exec(compile(block, page.name, "exec"), names)
    finally:
        plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_have_the_options_shown(page, capsys):
    for command, *words in commands(page):
        if command == "make":
            targets = [word for word in words if "=" not in word]
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), words
        if command == "ceas":
            with pytest.raises(SystemExit) as stopped:
                main([words[0], "--help"])
            assert stopped.value.code == 0, words
            known = capsys.readouterr().out
            options = [word.partition("=")[0] for word in words[1:] if word.startswith("-")]
            missing = [option for option in options if not re.search(rf"(?<![\w-]){option}\b", known)]
            assert not missing, f"ceas {words[0]} has no {missing}"


def test_blocks_are_found():
    assert sum(len(blocks(page, "python")) for page in PAGES) >= 60
    assert sum(len(commands(page)) for page in PAGES) >= 20


def test_an_invented_option_is_missed(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ ceas report --louder  # no such option\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="louder"):
        test_commands_have_the_options_shown(page, capsys)
