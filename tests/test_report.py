"""The main job in a small form, once: what is written, and that the same seed gives the same numbers."""

import html.parser
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import small_report
import xarray as xr
from matplotlib.axes import Axes

from ceas_physics import corridor, figures, findings, look, page, panels
from ceas_physics import report as report_module
from ceas_physics.report import report
from ceas_physics.thermostat import Thermostat

pytestmark = pytest.mark.filterwarnings("ignore::analysis.ShortRunWarning", "ignore::analysis.ScalingWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("parent") / "deep" / "report"
    out.mkdir(parents=True)
    small_report.write(out)
    return out, small_report.results()


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
    text = (out / page.PAGE).read_text()
    reader.feed(text)
    curves = int((results.ledger.curve_labels != "").sum())
    assert len(reader.images) == len(page.PICTURES) + curves
    assert all(len(image["alt"]) > 10 for image in reader.images)
    assert all(link.startswith(("data:", "#")) for link in reader.links)
    assert reader.rows >= results.table.sizes["entry"] + len(results.seconds)
    assert re.search(r"0\.4\d+ ± 0\.0", text)
    assert "beta_c" not in re.sub(r"<pre>.*?</pre>|<[^>]*>", "", text, flags=re.S)
    assert all(look.symbols(line) in text.partition("<img")[0] for line in findings.conclusion(results))


def test_every_dataset_and_figure_is_there(folder):
    out, results = folder
    pictures = [path for path in out.iterdir() if path.suffix in (".svg", ".png")]
    assert {path.stem for path in pictures} == set(page.PICTURES)
    assert all(path.stat().st_size > 10_000 for path in pictures)
    files = sorted(path.name for path in out.glob("*.nc"))
    assert len(files) == len(small_report.PLAN.square) + len(small_report.PLAN.hyperbolic) + 6
    for name in files:
        with xr.open_dataset(out / name) as data:
            assert data.sizes
            assert data.attrs["seed"] == small_report.SEED
            assert json.loads(data.attrs["versions"])["numpy"] == np.__version__
            for variable in data.data_vars.values():
                assert {"long_name", "units"} <= variable.attrs.keys(), (name, variable.name)
    assert set(results.table.system.values.tolist()) == {
        "square Ising", "hyperbolic {5,4} Ising", "3D +-J glass", "random energy model", "untrained heads",
        "heads trained at 1/sqrt(d_k)", "heads trained under the thermostat",
    }  # fmt: skip
    assert page.CONTENTS.foreign(out) is None


def test_the_lines_beside_a_figure_make_it(folder, monkeypatch):
    out, results = folder
    monkeypatch.chdir(out)
    makers = (panels.scaling, panels.disks, panels.heads, panels.training)
    found = [panels.comparison(results), *(panel for make in makers for panel in make(results))]
    assert [panel.name for panel in found] == sorted(page.PICTURES, key=[panel.name for panel in found].index)
    for panel in found:
        *lines, last = panel.code.splitlines()
        names = {}
        exec("\n".join(lines), names)
        assert isinstance(eval(last, names), Axes), panel.name
        plt.close("all")


def test_answer_is_three_sentences_and_summary_one_screen(folder):
    _, results = folder
    assert len(findings.conclusion(results)) == 3
    text = findings.summary(results)
    assert len(text.splitlines()) <= 24
    assert "beta_c = 0.4" in text


def test_same_seed_same_numbers(folder):
    _, results = folder
    again = report_module.Results(small_report.SEED)
    with small_report.short_runs():
        report_module._square(again, small_report.PLAN, False)
    report_module._train(again, "steered", Thermostat(), small_report.PLAN, False)
    xr.testing.assert_identical(results.steered, again.steered)
    xr.testing.assert_identical(results.disk, report_module._disk(small_report.SEED))
    table = corridor.compare(again.systems)
    xr.testing.assert_equal(table, results.table.isel(entry=slice(table.sizes["entry"])))


def test_the_answer_follows_from_the_numbers(folder):
    _, results = folder
    table = results.table
    lines = findings.conclusion(results)
    on_point = int(findings.contains_critical(table.isel(entry=table.resolved.values)).sum())
    assert f": {on_point or 'none'} of {int(table.resolved.sum())} corridors contain" in lines[0]
    assert lines[0].split(":")[0] == ("Not in general" if on_point else "No")
    first, last, significance = findings.drifts(table)["square Ising, total"]
    assert last < 0.7 * first
    assert significance > 10
    assert "square Ising over all states" in lines[1].split("away from beta_c")[1]
    steered = results.steered.isel(step=-1)
    inside = (steered.corridor_low <= steered.entropy) & (steered.entropy <= steered.corridor_high)
    assert f"({int(inside.sum())} of 4 end in the corridor)" in lines[2]
    ratio = (steered.beta / steered.beta_c).values
    low, high = map(float, re.search(r"thermostat at ([\d.]+) to ([\d.]+)", lines[2]).groups())
    np.testing.assert_allclose((low, high), (ratio.min(), ratio.max()), rtol=0.3)  # other text, same heads
    on_bound = int(np.isclose(steered.beta, figures.beta_bounds(results.steered)[0]).sum())
    assert f"{on_bound} of 4 heads end on the lower bound" in findings.steering(results.steered)
    sampled = table.isel(entry=(table["size"].values != "infinite") & (table.system.values != "3D +-J glass"))
    assert np.isfinite(sampled.band_low).all()
    assert np.isfinite(sampled.band_high).all()


def test_unresolved_entries_are_marked_faded_and_not_counted(folder):
    _, results = folder
    good = corridor.System("a", "8", "head", 2.0, 0.1, "peak", 1.9, 2.2, 1.0, 4.0)
    bad = corridor.System("b", "16", "head", 1.83, 5.6, "peak", 1.5, 2.0, 1.0, 4.0)
    table = corridor.compare([good, bad])
    assert table.resolved.values.tolist() == [True, False]
    changed = report_module.Results(0, steered=results.steered, table=table)
    assert findings.conclusion(changed)[0].startswith("Yes: 1 of 1 corridors contains beta_c (a 1 of 1)")
    assert "b 16" in findings.omitted(table)
    html_table = page._table(table)
    assert html_table.count('class="faded"') == html_table.count("not resolved") == 1
    ax = figures.corridors(table)
    left, right = ax.get_xlim()
    ends = np.concatenate([path.vertices[:, 0] for c in ax.collections for path in c.get_paths() if len(path) == 2])
    ends = ends[np.isfinite(ends)]
    assert (ends >= left).all()
    assert (ends <= right).all()
    assert {part.get_alpha() if np.isscalar(part.get_alpha()) else part.get_alpha()[0] for part in ax.collections
            if part.get_alpha() is not None} == {1.0, figures.FADED}  # fmt: skip
    labels = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert any("not resolved" in label for label in labels)
    plt.close("all")


def test_one_colour_a_head_in_every_picture(folder):
    _, results = folder
    heat = figures.head_heat(results.head_heat.isel(run=0))
    trace = figures.entropy_trace(results.standard)
    ratio = figures.beta_trace(results.steered)
    for k in range(4):
        assert heat.lines[k].get_color() == trace.lines[k].get_color() == ratio.lines[k + 1].get_color()
    plt.close("all")


def test_another_ledger_is_shown_and_other_files_are_refused(folder, tmp_path, no_work):
    out, _ = folder
    with pytest.raises(ValueError, match="no ledger of claims, it lacks text"):
        report(tmp_path / "new", ledger=out / "corridor.nc")
    with pytest.raises(ValueError, match="path must be the file of a ledger"):
        report(tmp_path / "new", ledger=tmp_path / "missing.nc")
    assert not list(tmp_path.iterdir())
    with pytest.raises(AssertionError, match="the work started"):
        report(tmp_path / "new", ledger=out / "claims.nc")


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
    for stage in ("_square", "_hyperbolic", "_train", "_compare", "_disk", "_ledger"):
        monkeypatch.setattr(report_module, stage, lambda *_: None)
    report_module.compute(report_module.Plan(glass=(), rem=(16,)), 0, True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 9
    assert all(re.fullmatch(r"[^\r]+: \d+\.\d s", line) for line in lines)
