"""What has keys: errors name them."""

import pandas as pd
import pytest
from scipy import stats

from kl_plugins import pairwise_kl


def test_errors_name_the_key():
    keyed = {"ok": stats.norm(), "bad": stats.norm(0, -1)}
    for side in (keyed, pd.Series(keyed)):
        with pytest.raises(ValueError, match=r"^ps\['bad'\]: scale .* must be positive"):
            pairwise_kl(side)
    with pytest.raises(TypeError, match=r"column 'cls', norm: q: scipy.stats.norm is not frozen"):
        pairwise_kl({"ok": stats.norm(), "cls": stats.norm, "g": stats.gamma})


def test_names_of_an_index_need_not_be_strings():
    ps = pd.Series([stats.norm(), stats.norm(1.0)], index=pd.Index([1, 2], name=0))
    assert pairwise_kl(ps).dims == ("0", "0_bis")


INDEXES = {
    "periods": (pd.period_range("2024-01", periods=2, freq="M"), "2024-01", "2024-02"),
    "time zone": (pd.date_range("2024-01-01", periods=2, tz="UTC"), "2024-01-01", "2024-01-02"),
    "intervals": (pd.interval_range(0, 2), 0.5, 1.5),
    "categories": (pd.CategoricalIndex(["a", "b"]), "a", "b"),
    "categories of intervals": (pd.CategoricalIndex(pd.interval_range(0, 2)), 0.5, 1.5),
}


@pytest.mark.parametrize("name", INDEXES)
def test_labels_are_found_as_pandas_finds_them(name):
    index, first, second = INDEXES[name]
    table = pairwise_kl(pd.Series([stats.norm(), stats.norm(1.0)], index=index.rename("when")))
    assert table.dims == ("when", "when_bis")
    assert float(table.sel(when=first, when_bis=second).squeeze()) == 0.5
