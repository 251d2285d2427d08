"""The main job in its quick form, once: what is written, and that the same seed gives the same numbers."""

import html.parser
import json
import re

import numpy as np
import pytest
import xarray as xr

from ceas_physics import corridor, figures, findings, page
from ceas_physics import report as report_module
from ceas_physics.report import QUICK, report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("parent") / "deep" / "report"
    results = report(out, quick=True, seed=1, progress=False)
    return out, results


class _Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.images, self.links, self.rows = [], [], 0

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "img":
            self.images.append(attributes)
        self.rows += tag == "tr"
        self.links += [value for name, value in attrs if name in ("src", "href")]


def test_page_is_self_contained(folder):
    out, results = folder
    reader = _Reader()
    reader.feed((out / page.PAGE).read_text())
    assert 4 <= len(reader.images) <= 6
    assert all(image["alt"] for image in reader.images)
    assert all(link.startswith("data:") for link in reader.links)
    assert reader.rows >= results.table.sizes["entry"] + len(results.seconds)
    text = (out / page.PAGE).read_text()
    assert re.search(r"0\.4\d+ ± 0\.0", text)
    assert "beta_c" not in re.sub(r"<[^>]*>", "", text)
    assert text.index(page.symbols(findings.conclusion(results)[0])) < text.index("<img")


def test_every_dataset_and_figure_is_there(folder):
    out, results = folder
    for name in page.FIGURES:
        assert (out / f"{name}.png").stat().st_size > 10_000
    files = sorted(path.name for path in out.glob("*.nc"))
    assert len(files) == len(QUICK.square) + len(QUICK.hyperbolic) + 4
    for name in files:
        with xr.open_dataset(out / name) as data:
            assert data.sizes
            assert data.attrs["seed"] == 1
            assert json.loads(data.attrs["versions"])["numpy"] == np.__version__
            for variable in data.data_vars.values():
                assert {"long_name", "units", "formula"} <= variable.attrs.keys(), (name, variable.name)
    systems = set(results.table.system.values.tolist())
    assert len(systems) == 6
    assert not list(out.parent.glob(".*"))


def test_summary_is_one_screen(folder):
    _, results = folder
    text = findings.summary(results)
    assert len(text.splitlines()) <= 24
    assert "beta_c = 0.4" in text


def test_same_seed_same_numbers(folder, tmp_path):
    _, results = folder
    again = report(tmp_path / "again", quick=True, seed=1, progress=False)
    xr.testing.assert_identical(results.table, again.table)
    xr.testing.assert_identical(results.steered, again.steered)


def test_the_answer_follows_from_the_numbers(folder):
    _, results = folder
    table = results.table
    lines = findings.conclusion(results)
    on_point = int(findings.contains_critical(table.isel(entry=table.resolved.values)).sum())
    assert f"contains beta_c for {on_point} of {int(table.resolved.sum())} entries" in lines[0]
    assert lines[0].split(":")[0] == ("Not in general" if on_point else "No")
    first, last, significance = findings.drifts(table)["square Ising, total"]
    assert last < 0.4 * first
    assert significance > 10
    assert "square Ising, total" in lines[1].split("away from beta_c")[1]
    steered = results.steered.isel(step=-1)
    on_bound = int(np.isclose(steered.beta, figures.beta_bounds(results.steered)[0]).sum())
    assert f"{on_bound} of 4 heads end on the lower bound" in lines[2]
    bands = table.isel(entry=table["size"].values != "infinite")
    assert np.isfinite(bands.band_low).all()
    assert np.isfinite(bands.band_high).all()


def test_unresolved_entries_are_marked_faded_and_not_counted(folder):
    _, results = folder
    good = corridor.System("a", "8", "head", 2.0, 0.1, "peak", 1.9, 2.2, 1.0, 4.0)
    bad = corridor.System("b", "16", "head", 1.83, 5.6, "peak", 1.5, 2.0, 1.0, 4.0)
    table = corridor.compare([good, bad])
    assert table.resolved.values.tolist() == [True, False]
    changed = report_module.Results(0, steered=results.steered, table=table)
    lines = findings.conclusion(changed)
    assert lines[0].startswith("Yes: the corridor contains beta_c for 1 of 1 entries (a 8)")
    assert "Left out" in lines[-1]
    assert "b 16" in lines[-1]
    html_table = page._table(table)
    assert html_table.count('class="faded"') == html_table.count("not resolved") == 1
    ax = figures.corridors(table)
    left, right = ax.get_xlim()
    ends = np.concatenate([path.vertices[:, 0] for c in ax.collections[:3] for path in c.get_paths()])
    assert (ends >= left).all()
    assert (ends <= right).all()
    assert {color[3] for color in ax.collections[1].get_colors()} == {1.0, figures.FADED}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert r"error of $\beta_c$" in labels
    assert any("not resolved" in label for label in labels)


def test_one_colour_a_head_in_every_picture(folder):
    _, results = folder
    heat = figures.head_heat(results.head_heat[0])
    trace = figures.entropy_trace(results.standard)
    ratio = figures.beta_trace(results.steered)
    for k in range(4):
        assert heat.lines[k].get_color() == trace.lines[k].get_color() == ratio.lines[k + 1].get_color()


# The folder


@pytest.fixture
def no_work(monkeypatch):
    """A report whose stages must not start."""

    def started(*_):
        raise AssertionError("the work started")

    monkeypatch.setattr(report_module, "compute", started)


def test_refusals_come_before_the_work(no_work, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "report.html").write_text("my own page, by ceas-physics")
    with pytest.raises(ValueError, match=r"mine holds other files \(report.html\)"):
        report(mine)
    (mine / "report.html").write_text('<meta name="generator" content="ceas-physics">')
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.tex"):
        report(mine)
    (mine / "thesis.tex").unlink()
    (mine / "figures").mkdir()
    with pytest.raises(ValueError, match="figures"):
        report(mine)
    monkeypatch.chdir(mine)
    (tmp_path / "link").symlink_to(mine)
    for out in (".", "..", tmp_path / "link", "/"):
        with pytest.raises(ValueError, match="current folder"):
            report(out)
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "in", "/dev/null/x"):
        with pytest.raises(ValueError, match=r"got the file|cannot write"):
            report(out)
    with pytest.raises(ValueError, match="seed"):
        report(tmp_path / "new", seed=2**63)
    assert {path.name for path in tmp_path.rglob("*")} == {"mine", "report.html", "figures", "link", "file"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_report_changes_nothing(error, tmp_path, monkeypatch):
    def fails(*_):
        raise error

    monkeypatch.setattr(report_module, "compute", fails)
    old, empty = tmp_path / "old", tmp_path / "empty"
    old.mkdir()
    empty.mkdir()
    (old / "report.html").write_text('<meta name="generator" content="ceas-physics">')
    before = (old / "report.html").stat().st_mtime_ns
    for out in (old, empty, tmp_path / "a" / "b"):
        with pytest.raises(error):
            report(out)
    assert (old / "report.html").stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.rglob("*")} == {"old", "report.html", "empty"}


def test_an_earlier_report_is_replaced_whole(tmp_path, monkeypatch):
    old = tmp_path / "old"
    old.mkdir()
    (old / "report.html").write_text('<meta name="generator" content="ceas-physics">')
    (old / "square_L128.nc").write_text("stale")
    link = tmp_path / "link"
    link.symlink_to(old)
    monkeypatch.setattr(report_module, "compute", lambda *_: report_module.Results(0))
    monkeypatch.setattr(page, "write", lambda _, folder: (folder / "corridor.nc").write_text("new"))
    monkeypatch.setattr(page, "write_page", lambda _, folder: (folder / "report.html").write_text("new"))
    report(link)
    assert link.is_symlink()
    assert {path.name for path in old.iterdir()} == {"report.html", "corridor.nc"}
    assert {path.name for path in tmp_path.iterdir()} == {"old", "link"}


def test_stages_are_plain_lines_where_there_is_no_terminal(monkeypatch, capsys):
    for stage in ("_square", "_hyperbolic", "_train", "_compare"):
        monkeypatch.setattr(report_module, stage, lambda *_: None)
    report_module.compute(report_module.Plan(rem=(16,)), 0, True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert all(re.fullmatch(r"[^\r]+: \d+\.\d s", line) for line in lines)
