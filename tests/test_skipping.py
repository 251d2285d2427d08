"""What skipping rows saves: the operations counted are those of the rows kept; times are measured, not asserted."""

import numpy as np
import pytest

from ceas_physics.skipping import CHI, measure_skipping


def test_operations_fall_by_the_fraction_skipped():
    data = measure_skipping((16, 32), batch=8, rounds=2)
    assert data.sizes == {"context": 2, "chi": len(CHI)}
    np.testing.assert_allclose(data.rows_flops, np.broadcast_to(1.0 - data.chi, (2, 3)), atol=0.1)
    for name in ("rows_time", "backward_time", "choice_time"):
        assert (data[name] > 0.0).all()


@pytest.mark.parametrize(("settings", "message"), [({"heads": 6}, "multiple of 4"), ({"rounds": 0}, "rounds")])
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        measure_skipping((16,), **settings)
