"""Entries of the glass against its high-temperature expansion, and of a model's heads against their measurement."""

import model_files
import numpy as np
import pytest

from ceas_physics import corridor, corridor_sources, heads
from ceas_physics.models import Bert


def test_the_glass_starts_as_every_symmetric_model_does():
    """N ln 2 - S = x^2 / 2 - O(x^4 / N) with x = beta sqrt(sum J^2), whatever the signs of the bonds."""
    site, total = corridor_sources.glass_systems((4,), realisations=2, seed=3, progress=False)
    assert (site.reading, total.reading) == ("site, n=64", "total")
    width = np.sqrt(3 * 4**3)
    leading = np.sqrt(2 * np.array([0.9, 1.3])) / width
    ratio = np.array([total.beta_low, total.beta_high]) / leading
    assert (ratio > 0.97).all()
    assert (ratio < 1.05).all()
    for entry in (site, total):
        assert entry.beta_c == pytest.approx(1 / 1.1019)
        assert entry.beta_c_error == pytest.approx(0.0029 / 1.1019**2)
        assert "Baity-Jesi" in entry.method
        assert 0 < entry.beta_low_error < 0.02 * entry.beta_low
        assert 0 < entry.beta_high_error < 0.02 * entry.beta_high
    assert total.beta_high < site.beta_low < site.beta_high < site.beta_c
    with pytest.raises(ValueError, match="2 realisations or more, got 1"):
        corridor_sources.glass_systems((4,), realisations=1)


def test_heads_of_a_model_are_those_that_measure_finds(monkeypatch):
    model = Bert("small", model_files.BERT, model_files.random_parameters(model_files.BERT, 1), None)
    tokens = np.random.default_rng(0).integers(0, model_files.BERT.vocabulary, (6, 24))
    monkeypatch.setattr(corridor_sources.models, "load", lambda _: model)
    monkeypatch.setattr(corridor_sources, "read_passages", lambda *_: tokens)
    table = corridor.compare(corridor_sources.model_systems("small heads", "small", heads=3))
    names = [f"layer {layer} head {head}" for layer, head in np.ndindex(model.shape.n_layers, model.shape.n_heads)]
    assert table["size"].values.tolist() == [names[0], names[round((len(names) - 1) / 2)], names[-1]]
    monkeypatch.setattr(heads.measurement, "read_passages", lambda *_: tokens)
    measured = heads.measure(model, tokens.ravel(), control=False).sel(weights="trained", visible="all")
    for row, name in enumerate(table["size"].values):
        _, layer, _, head = name.split()
        one = measured.isel(layer=int(layer), head=int(head))
        assert table.beta_c[row] == pytest.approx(float(one.beta_c), rel=1e-3)
        assert table.beta_in_use[row] / table.beta_c[row] == pytest.approx(float(one.beta_ratio), rel=1e-3)
