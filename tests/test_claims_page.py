"""The ledger as text, file and page, through the command."""

import json
import re
from html.parser import HTMLParser

import pytest
import xarray as xr

from ceas_physics import claims
from ceas_physics.claims import page, table
from ceas_physics.cli import main

IDS = ["A3", "C1", "C2", "D4"]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return claims.run(IDS, results=tmp_path_factory.mktemp("results"), progress=False)


class Page(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_page_is_self_contained_and_leads_from_verdict_to_code(ledger):
    text = page.html(ledger)
    found = Page(text)
    places = {attributes["id"] for attributes in found.all("section")}
    links = [attributes["href"] for attributes in found.all("a")]
    assert [link[1:] for link in links] == [attributes["id"] for attributes in found.all("section")]
    assert len(places) == ledger.sizes["claim"]
    pictures = found.all("img")
    assert pictures
    assert all(len(picture["alt"]) > 10 and picture["src"].startswith("data:") for picture in pictures)
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "ceas_physics.claims.arithmetic:example" in text
    assert text.count("<h3>") == ledger.sizes["claim"]


def test_page_of_a_file_is_the_page_of_the_run(ledger, tmp_path):
    ledger.to_netcdf(tmp_path / "claims.nc")
    with xr.open_dataset(tmp_path / "claims.nc") as back:
        assert page.html(back.load()) == page.html(ledger)


def test_text_is_aligned_and_coloured_on_demand(ledger):
    lines = table.text(ledger).splitlines()
    start = lines[0].index("verdict")
    assert all(line[start - 2 : start] == "  " for line in lines[1 : 1 + ledger.sizes["claim"]])
    assert "\x1b[" not in table.text(ledger)
    plain = re.sub(r"\x1b\[\d+m", "", table.text(ledger, colors=True))
    assert plain == table.text(ledger)
    assert lines[-1] == "4 claims: 0 reproduced, 1 not reproduced, 2 inconsistent, 1 not testable here."


def test_markdown_has_a_line_for_each_entry(ledger):
    rows = [line for line in table.markdown(ledger).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + ledger.sizes["claim"]
    assert len({row.count("|") for row in rows}) == 1


def test_command_writes_every_kind_of_file(tmp_path, capsys):
    for name in ("claims.nc", "deep/claims.html", "claims.md"):
        assert main(["claims", "C1", "C3", "--quiet", "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 500
    with xr.open_dataset(tmp_path / "claims.nc") as data:
        assert data.verdict.sel(claim="C1").item() == "inconsistent"
        assert all(data[name].attrs["long_name"] for name in data.data_vars)
    assert "C3/GPT-3 factor 5" in capsys.readouterr().out


def test_json_is_read_by_another_program(capsys):
    assert main(["claims", "C2/GPT-1", "C1", "--json", "--quiet"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["claim"], first["number"], second["claim"]) == ("C1", pytest.approx(0.4607, abs=1e-4), "C2/GPT-1")
    assert second["claimed_low"] == 1458


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["E1"], "claims are A1"), (["C1", "--out", "claims.txt"], "--out must end in .nc, .html, .md")],
)
def test_bad_input_is_one_line(arguments, said, capsys):
    assert main(["claims", *arguments, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
