"""Parameters with named dimensions, arrays of xarray: results by name, judged by the path without names."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from kl_plugins import cross_entropy, entropy, jeffreys, kl
from kl_plugins.families.normal import Normal

CHAIN = xr.DataArray(
    [0.5, 1.0, 2.0], dims="chain", coords={"chain": [0, 1, 2], "model": ("chain", list("xyz"))}
)
GROUP = xr.DataArray([1.0, 3.0], dims="group", coords={"group": ["a", "b"]})
DOORS = {"kl": kl, "jeffreys": jeffreys, "cross_entropy": cross_entropy}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("lazy", [False, True])
def test_pairs_are_broadcast_by_name(door, lazy):
    mu, sd = (CHAIN.chunk(chain=2), GROUP.chunk()) if lazy else (CHAIN, GROUP)
    expected = DOORS[door](stats.norm(CHAIN.values[:, None], 1), stats.norm(0, GROUP.values))
    for p, q in [(stats.norm(mu, 1), stats.norm(0, sd)), (Normal(mu, 1.0), stats.norm(scale=sd))]:
        found = DOORS[door](p, q)
        assert (found.dims, found.name, found.attrs["units"]) == (("chain", "group"), door, "nats")
        assert set(found.coords) == {"chain", "group", "model"}
        assert (found.chunks is not None) == lazy
        np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(
        entropy(stats.gamma(sd, scale=mu)).transpose("group", "chain").values,
        entropy(stats.gamma(GROUP.values[:, None], scale=CHAIN.values)),
    )
