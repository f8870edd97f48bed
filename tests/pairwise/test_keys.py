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
