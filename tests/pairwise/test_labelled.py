"""Tables of labelled batches are those of the numbers alone, with dimensions and coordinates."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats
from xarray_einstats.stats import XrContinuousRV, multivariate_normal

import gaussians
from kl_plugins import Dense, Diagonal, MultivariateNormal, kl, pairwise_kl
from kl_plugins.extend import Normal

RNG = np.random.default_rng(3)
MONTHS = {"month": ["Jan", "Feb", "Mar"], "quarter": ("month", [1, 1, 1]), "version": 2}
MEAN = xr.DataArray(RNG.normal(size=3), dims="month", coords=MONTHS)
SCALE = xr.DataArray(RNG.uniform(0.5, 2.0, (2, 3)), dims=("site", "month"))
ONE_DIM = {
    "SciPy": stats.norm(MEAN, 2.0),
    "ours": Normal(MEAN, 2.0),
    "einstats": XrContinuousRV(stats.norm, MEAN, 2.0),
}


@pytest.mark.parametrize("name", ONE_DIM)
def test_one_batch_dimension(name):
    table = pairwise_kl(ONE_DIM[name])
    np.testing.assert_array_equal(table, pairwise_kl(stats.norm(MEAN.values, 2.0)))
    assert (table.dims, table.name, table.attrs["units"]) == (("month", "month_bis"), "kl", "nats")
    assert table.sel(month="Jan", month_bis="Mar") == kl(
        stats.norm(MEAN[0].item(), 2), stats.norm(MEAN[2].item(), 2)
    )
    assert set(table.coords) == {"month", "month_bis", "quarter", "quarter_bis", "version"}


def test_several_batch_dimensions_on_both_sides():
    p, q = stats.norm(MEAN, SCALE), stats.norm(SCALE.rename(site="place"), 1.0)
    table = pairwise_kl(p, q)
    assert table.dims == ("month", "site", "place", "month_bis")
    for at in (
        {"month": 1, "site": 0, "place": 1, "month_bis": 2},
        {"month": 0, "site": 1, "place": 0, "month_bis": 0},
    ):
        one = stats.norm(MEAN.values[at["month"]], SCALE.values[at["site"], at["month"]])
        other = stats.norm(SCALE.values[at["place"], at["month_bis"]], 1.0)
        assert float(table.isel(at)) == pytest.approx(float(kl(one, other)), rel=1e-14)


def gaussian(count, dims=("draw", "x", "y"), seed=1):
    rng = np.random.default_rng(seed)
    matrices = np.array([gaussians.well_conditioned(rng, 3, gaussians.ANY) for _ in range(count)])
    covariance = xr.DataArray(matrices, dims=dims, coords={dims[1]: list("abc"), dims[2]: list("abc")})
    return xr.DataArray(rng.normal(size=(count, 3)), dims=dims[:2], coords={dims[1]: list("abc")}), covariance


def test_gaussians_consume_the_dimensions_of_their_event():
    mean, covariance = gaussian(4)
    plain = pairwise_kl(MultivariateNormal(mean.values, Dense(covariance.values)))
    ours = MultivariateNormal(mean, Dense(covariance), dims=("x", "y"))
    for p in (ours, multivariate_normal(mean, covariance, dims=("x", "y"))):
        table = pairwise_kl(p)
        np.testing.assert_array_equal(table, plain)
        assert table.dims == ("draw", "draw_bis")
        assert not table.coords
    independent = MultivariateNormal(mean, Diagonal(mean**2), dims=("x",))
    assert pairwise_kl(independent, ours).shape == (4, 4)
    shared = MultivariateNormal(mean, Dense(covariance[0]), dims=("x", "y"))
    np.testing.assert_allclose(
        pairwise_kl(shared),
        pairwise_kl(MultivariateNormal(mean.values, Dense(covariance.values[0]))),
        rtol=1e-14,
    )


def test_beside_what_has_keys_or_none():
    p = stats.norm(MEAN, 2.0)
    keyed = {"narrow": stats.norm(0.0, 1.0), "wide": stats.norm(0.0, 3.0)}
    table = pairwise_kl(p, keyed)
    assert table.dims == ("month", "q")
    np.testing.assert_array_equal(table, pairwise_kl(stats.norm(MEAN.values, 2.0), list(keyed.values())))
    np.testing.assert_array_equal(
        pairwise_kl(keyed, p), pairwise_kl(list(keyed.values()), stats.norm(MEAN.values, 2.0))
    )
    assert pairwise_kl(p, stats.norm([0.0, 1.0], 1.0)).dims == ("month", "q")
    assert pairwise_kl(stats.norm(xr.DataArray(0.0), 1.0), p).dims == ("month",)
    mixed = pairwise_kl(p, {"normal": stats.norm(), "t": stats.t(3.0)}, estimate=True)
    assert np.isfinite(mixed).all()


def test_what_does_not_go_together():
    mean, covariance = gaussian(4)
    ours = MultivariateNormal(mean, Dense(covariance), dims=("x", "y"))
    with pytest.raises(
        ValueError, match=r"^loc of ps and scale of ps have different coordinates along 'month'"
    ):
        pairwise_kl(stats.norm(MEAN, MEAN[::-1] ** 2))
    with pytest.raises(ValueError, match=r"ps and mean of qs have different coordinates along 'x'"):
        pairwise_kl(ours, ours.remade(mean=mean.assign_coords(x=list("cba"))))
    uncertain = MultivariateNormal(mean, Diagonal(mean**2 + 1.0))
    for sides, name in (((uncertain, ours), "ps"), ((ours, uncertain), "qs"), ((uncertain,), "ps")):
        with pytest.raises(ValueError, match=f"^{name}: which dimensions belong to an event is not certain"):
            pairwise_kl(*sides)
    with pytest.raises(ValueError, match="ps and qs have different dimensions of an event"):
        pairwise_kl(
            ours, MultivariateNormal(gaussian(4, ("draw", "u", "v"))[0], Diagonal(np.ones(3)), dims=("u",))
        )
    with pytest.raises(TypeError, match=r"^ps\[1\] is of labelled arrays.*xarray\.concat"):
        pairwise_kl([stats.norm(), stats.norm(MEAN, 1.0)])
    with pytest.raises(TypeError, match=r"^qs\['a'\] is of labelled arrays"):
        pairwise_kl(stats.norm(MEAN, 1.0), {"a": stats.norm(MEAN, 1.0)})
    with pytest.raises(TypeError, match=r"^row 'a', .* pairwise_kl takes numbers, not graphs"):
        pairwise_kl({"a": pm.Normal.dist(pt.dscalar("mean"), 1.0)})
    with pytest.raises(ValueError, match=r"^ps: scale .*must be positive"):
        pairwise_kl(stats.norm(MEAN, -(MEAN**2)))


def test_nothing_has_no_pairs():
    p = stats.norm(MEAN, 1.0)
    nothing = stats.norm(MEAN[:0], 1.0)
    assert (pairwise_kl(nothing, p).shape, pairwise_kl(p, nothing).shape) == ((0, 3), (3, 0))


GRID = xr.DataArray(np.arange(9.0).reshape(3, 3), coords={"a": [1, 2, 3], "a_bis": [1, 2, 3]})
LINE = xr.DataArray([0.0, 5.0, 7.0], coords={"a": [1, 2, 3]})
NAMES = {
    "suffix used by p": (GRID, LINE, ("a", "a_bis", "a_bis_bis")),
    "suffix used by q": (LINE, GRID, ("a", "a_bis_bis", "a_bis")),
    "suffix used by both": (GRID, GRID, ("a", "a_bis", "a_bis_bis", "a_bis_bis_bis")),
    "suffix used by a coordinate": (LINE.assign_coords(a_bis=("a", list("xyz"))), LINE, ("a", "a_bis_bis")),
    "a coordinate without dimensions": (LINE.sel(a=2), LINE, ("a_bis",)),
    "a list's": (None, LINE.rename(a="p"), ("p", "p_bis")),
}


@pytest.mark.parametrize("name", NAMES)
def test_dimensions_have_names_that_are_free(name):
    mean, other, dims = NAMES[name]
    p = [stats.norm()] if mean is None else stats.norm(mean, 1.0)
    table = pairwise_kl(p, stats.norm(other, 1.0))
    assert table.dims == dims
    flat = np.zeros(1) if mean is None else mean.values.ravel()
    np.testing.assert_array_equal(
        table.values.ravel(), np.subtract.outer(flat, other.values).ravel() ** 2 / 2
    )


def test_coordinates_without_dimensions_are_kept_where_they_agree():
    old, new = LINE.assign_coords(version=1), LINE.assign_coords(version=2)
    assert pairwise_kl(stats.norm(old, 1.0)).version == 1
    assert "version" not in pairwise_kl(stats.norm(old, 1.0), stats.norm(new, 1.0)).coords
    assert "version" not in pairwise_kl(stats.norm(old, new + 1.0)).coords
