"""Parameters with named dimensions, arrays of xarray: results by name, judged by the path without names."""

import copy
import pickle

import cloudpickle
import dask
import dask.array
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from xarray_einstats.stats import XrContinuousRV, XrDiscreteRV, multivariate_normal

from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    LowRank,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    cross_entropy,
    entropy,
    estimate_kl,
    explain,
    independent,
    jeffreys,
    kl,
    register_kl,
)
from kl_plugins.families.categorical import Categorical
from kl_plugins.families.censored import Censored
from kl_plugins.families.hurdle import Hurdle
from kl_plugins.families.log_transformed import LogNormal
from kl_plugins.families.normal import Normal
from kl_plugins.families.poisson import Poisson
from kl_plugins.families.truncated_counts import TruncatedCounts
from kl_plugins.families.zero_inflated import ZeroInflated

CHAIN = xr.DataArray(
    [0.5, 1.0, 2.0], dims="chain", coords={"chain": [0, 1, 2], "model": ("chain", list("xyz"))}
)
GROUP = xr.DataArray([1.0, 3.0], dims="group", coords={"group": ["a", "b"]})
VARIABLES = xr.DataArray([0.5, 1.0, 2.0], dims="x", coords={"x": list("uvw")})
BOTH = CHAIN * VARIABLES
MATRIX = xr.DataArray(
    [[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]], dims=("x", "x_bis"), coords={"x": list("uvw")}
)
DOORS = {"kl": kl, "jeffreys": jeffreys, "cross_entropy": cross_entropy}


def lazy(array, **chunks):
    """The same in chunks of two, which fail where they are computed before they may."""

    def fail_unless_allowed(block):
        assert dask.config.get("allowed", False), "computed"
        return block

    chunked = array.chunk({dim: chunks.get(dim, 2) for dim in array.dims})
    return chunked.copy(data=chunked.data.map_blocks(fail_unless_allowed, meta=np.empty(0, array.dtype)))


def computed(array):
    assert array.chunks is not None
    with dask.config.set(allowed=True, scheduler="synchronous"):
        return array.compute()


@pytest.mark.parametrize("door", DOORS)
def test_pairs_are_broadcast_by_name(door):
    expected = DOORS[door](stats.norm(CHAIN.values[:, None], 1), stats.norm(0, GROUP.values))
    for p, q in [
        (stats.norm(CHAIN, 1), stats.norm(0, GROUP)),
        (stats.norm(loc=CHAIN), stats.norm(scale=GROUP)),
        (Normal(CHAIN, 1.0), stats.norm(0, GROUP)),
        (XrContinuousRV(stats.norm, CHAIN, scale=1.0), Normal(np.zeros(1), GROUP)),
        (stats.norm(lazy(CHAIN), 1), stats.norm(0, lazy(GROUP))),
        (Normal(lazy(CHAIN), 1), stats.norm(0, GROUP)),
    ]:
        found = DOORS[door](p, q)
        assert (found.dims, found.name, found.attrs["units"]) == (("chain", "group"), door, "nats")
        assert set(found.coords) == {"chain", "group", "model"}
        found = computed(found) if found.chunks else found
        np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: LogNormal(Normal(x, 1.0)),
        lambda x: Hurdle(0.3, LogNormal(Normal(x, 1.0))),
        lambda x: Censored(-1.0, 2.0, Normal(x, 1.0)),
        lambda x: ZeroInflated(0.3, Poisson(x)),
        lambda x: TruncatedCounts(1.0, 5.0, Poisson(x)),
    ],
)
def test_labels_of_a_part(make):
    """Beside plain parameters of the whole."""
    found = kl(make(CHAIN), make(1.0))
    assert found.dims == ("chain",)
    np.testing.assert_array_equal(found, kl(make(CHAIN.values), make(1.0)))


def test_entropies_of_more_parameters():
    expected = entropy(stats.gamma(GROUP.values[:, None], scale=CHAIN.values))
    found = entropy(stats.gamma(GROUP, scale=CHAIN))
    assert (found.dims, found.name) == (("group", "chain"), "entropy")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        computed(entropy(XrContinuousRV(stats.gamma, lazy(GROUP), scale=CHAIN))), expected
    )
    assert entropy(stats.norm(0, 1)).shape == ()


def test_sums_and_integrals_of_xarray_einstats():
    points = xr.DataArray(np.arange(6), dims="point")
    p, q = XrDiscreteRV(stats.binom, 5, 0.3 * CHAIN), XrDiscreteRV(stats.poisson, GROUP)
    each = p.pmf(points) * (p.logpmf(points) - q.logpmf(points))
    xr.testing.assert_allclose(kl(p, q).drop_vars("model").drop_attrs(), each.sum("point"))
    line = xr.DataArray(np.linspace(-40.0, 40.0, 4001), dims="point")
    p, q = XrContinuousRV(stats.norm, CHAIN, GROUP), XrContinuousRV(stats.logistic, scale=CHAIN)
    with np.errstate(under="ignore"):
        each = p.pdf(line) * (p.logpdf(line) - q.logpdf(line))
    expected = each.sum("point") * 0.02
    xr.testing.assert_allclose(estimate_kl(p, q).value.drop_vars("model").drop_attrs(), expected, rtol=1e-6)


def test_multivariate_normal_of_xarray_einstats():
    p = multivariate_normal(BOTH, MATRIX * GROUP, dims=("x", "x_bis"))
    q = multivariate_normal(VARIABLES, MATRIX, dims=["x", "x_bis"])
    ours = MultivariateNormal(BOTH, Dense(MATRIX * GROUP), dims=("x", "x_bis"))
    found = kl(p, q)
    assert found.dims == ("chain", "group")
    np.testing.assert_array_equal(found, kl(ours, MultivariateNormal(VARIABLES, Dense(MATRIX))))
    # The quadratic form of the log density is d in expectation, and 0 at the mean.
    xr.testing.assert_allclose(
        entropy(p).drop_attrs(), 1.5 - p.logpdf(BOTH).transpose("chain", "group"), check_dim_order=True
    )
    for wrong in (multivariate_normal(BOTH, MATRIX), multivariate_normal(cov=MATRIX, dims=("x", "x_bis"))):
        with pytest.raises(ValueError, match="is missing"):
            entropy(wrong)


COVARIANCES = {
    Diagonal: VARIABLES,
    Dense: MATRIX,
    Precision: MATRIX,
    Cholesky: xr.DataArray(np.tril(MATRIX.values), dims=MATRIX.dims, coords=MATRIX.coords),
}


@pytest.mark.parametrize("kind", COVARIANCES)
@pytest.mark.parametrize("chunked", [False, True])
def test_gaussians(kind, chunked):
    """Batches of means and covariances; the events' dimension is known, or said."""
    mean, value = BOTH, COVARIANCES[kind]
    if chunked:
        mean, value = lazy(BOTH, x=-1), lazy(value, x=-1, x_bis=-1)
    batch = value * GROUP if kind is not Cholesky else value * np.sqrt(GROUP)
    values = (computed(batch) if chunked else batch).transpose("group", ...).values
    plain = MultivariateNormal(BOTH.values[:, None], kind(values))
    dims = value.dims if kind is not Diagonal else "x"
    for p, q in [
        (MultivariateNormal(mean, kind(batch), dims=dims), MultivariateNormal(VARIABLES, kind(value))),
        (
            MultivariateNormal(mean, kind(batch), dims=dims),
            MultivariateNormal(VARIABLES.values, kind(COVARIANCES[kind].values)),
        ),
    ]:
        found = kl(p, q)
        expected = kl(plain, MultivariateNormal(VARIABLES.values, kind(COVARIANCES[kind].values)))
        found = computed(found) if chunked else found
        assert found.dims == ("chain", "group")
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        assert explain(p, q).p == f"MultivariateNormal({kind.__name__})"


def test_further_covariances():
    factor = xr.DataArray(np.ones((3, 2)), dims=("x", "k"))
    p = MultivariateNormal(BOTH, LowRank(VARIABLES, factor))
    q = MultivariateNormal(np.zeros(3), Isotropic(GROUP, dim=3))
    plain = MultivariateNormal(BOTH.values, LowRank(VARIABLES.values, factor.values))
    for i, variance in enumerate(GROUP.values):
        expected = kl(plain, MultivariateNormal(np.zeros(3), Isotropic(variance, dim=3)))
        np.testing.assert_allclose(kl(p, q).isel(group=i), expected, rtol=1e-14)
    fewer = MultivariateNormal(VARIABLES, LowRank(VARIABLES, factor[:, :1]))
    assert kl(p, fewer).dims == ("chain",)  # the dimension of the factors is each one's own
    blocks = MultivariateNormal(np.zeros(3), BlockDiagonal((Isotropic(CHAIN, dim=1), Isotropic(1.0, dim=2))))
    assert kl(blocks, q).dims == ("chain", "group")
    assert kl(p, stats.multivariate_normal(np.zeros(3))).dims == ("chain",)
    outcomes = xr.DataArray([0.25, 0.75], dims="outcome")
    assert kl(Categorical(outcomes), Categorical(outcomes)).item() == 0.0


def refused():
    """Pairs, the error and what it says."""
    p, q = stats.norm(CHAIN, 1), stats.norm(0, GROUP)
    gaussian = MultivariateNormal(VARIABLES, Diagonal(VARIABLES))
    other = VARIABLES.rename(x="y")
    backwards = MATRIX.assign_coords(x_bis=list("wvu"))
    three = np.ones(3)
    return {
        "coordinates": (
            p,
            stats.norm(CHAIN[1:], 1),
            ValueError,
            "loc of p and loc of q .* coordinates along 'chain'",
        ),
        "order": (p, stats.norm(1, CHAIN[::-1]), ValueError, "loc of p and scale of q .* along 'chain'"),
        "own": (stats.norm(CHAIN, CHAIN[::-1]), q, ValueError, "loc of p and scale of p .* along 'chain'"),
        "lengths": (
            stats.norm(CHAIN.variable),
            stats.norm(CHAIN.variable[1:]),
            ValueError,
            "lengths along 'chain', 3 and 2",
        ),
        "array": (p, stats.norm(0, [1.0, 2.0, 3.0]), ValueError, r"q has batch shape \(3,\) and no names"),
        "own array": (stats.norm(CHAIN, three), q, ValueError, r"p: scale has shape \(3,\) and no names"),
        "series": (p, stats.norm(0, pd.Series(three)), ValueError, "q has batch shape"),
        "batch": (p, Normal(three, 1.0), ValueError, "q has batch shape .* no names"),
        "domain": (
            p,
            stats.norm(0, GROUP - 1.0),
            ValueError,
            r"^q: scale .* positive, .*norm.*, at group='a'$",
        ),
        "domain of ours": (
            stats.gamma(a=CHAIN, scale=2.0 - GROUP),
            q,
            ValueError,
            "^p: scale .* at group='b'$",
        ),
        "no coordinate": (
            stats.norm(0, CHAIN.variable - 1.0),
            q,
            ValueError,
            "^p: scale .* at position 0 of chain$",
        ),
        "domain of a product": (
            independent(stats.norm(BOTH, -VARIABLES), "x"),
            independent(stats.norm(VARIABLES), "x"),
            ValueError,
            r"^p: scale .* positive",
        ),
        "sizes": (
            gaussian,
            MultivariateNormal(VARIABLES, Isotropic(1.0, dim=4)),
            ValueError,
            "^q: mean has 3 variables, covariance has 4",
        ),
        "einstats": (
            p,
            multivariate_normal(np.zeros(3), np.eye(3), ("x", "x_bis")),
            TypeError,
            "^q: mean and cov of .* must be DataArrays",
        ),
        "everywhere": (stats.norm(CHAIN, -1.0), q, ValueError, r"^p: scale .*\)$"),
        "object": (
            stats.norm(CHAIN.astype(object)),
            q,
            TypeError,
            "p: loc must be real numbers, got dtype object",
        ),
        "dates": (
            stats.norm(xr.DataArray(np.array(["2020"], "M8[ns]"))),
            q,
            TypeError,
            "p: loc must be real",
        ),
        "dataset": (stats.norm(xr.Dataset({"mu": CHAIN})), q, TypeError, r"p: loc .*Dataset.*\('mu'\)"),
        "event": (
            gaussian,
            stats.norm(VARIABLES),
            ValueError,
            "'x' belongs to an event in .* of p, to a batch in loc of q",
        ),
        "events": (
            gaussian,
            MultivariateNormal(other, Diagonal(other)),
            ValueError,
            r"dimensions of an event, 'x' and 'y'",
        ),
        "columns": (
            gaussian,
            MultivariateNormal(VARIABLES, Dense(backwards)),
            ValueError,
            "covariance .* 'x_bis' than along 'x'",
        ),
        "uncertain": (
            gaussian,
            MultivariateNormal(BOTH, Diagonal(BOTH)),
            ValueError,
            "is not certain of mean .* dims=",
        ),
        "no such": (
            gaussian,
            MultivariateNormal(BOTH, Diagonal(BOTH), dims="z"),
            ValueError,
            "q: mean has no dimension 'z'",
        ),
        "blocks": (
            gaussian,
            MultivariateNormal(np.zeros(6), BlockDiagonal(2 * (Diagonal(VARIABLES),))),
            ValueError,
            "no dimension in common",
        ),
        "batch of outcomes": (Categorical(0.1 * BOTH), q, ValueError, "is uncertain in p"),
        "chunks": (
            MultivariateNormal(lazy(VARIABLES), Diagonal(VARIABLES)),
            gaussian,
            ValueError,
            r"p: mean .*\.chunk\({'x': -1}\)",
        ),
        "unknown chunks": (
            stats.norm(unknown_chunks()),
            q,
            ValueError,
            "p: loc has chunks of unknown sizes along 'chain'",
        ),
        "no closed form": (
            stats.laplace(CHAIN, 1.0),
            stats.cauchy(0, GROUP),
            NoClosedFormError,
            "no closed form .*laplace.*cauchy",
        ),
        "not a distribution": (p, CHAIN, TypeError, "^q: .*data"),
    }


def unknown_chunks():
    numbers = dask.array.from_array(CHAIN.values)
    return xr.DataArray(numbers[numbers > 0.7], dims="chain")


@pytest.mark.parametrize("case", refused())
def test_what_is_refused(case):
    p, q, kind, message = refused()[case]
    with pytest.raises(kind, match=message) as caught:
        kl(p, q)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None or caught.value.__cause__


def test_a_dimension_twice():
    with pytest.warns(UserWarning, match="[Dd]uplicate"):
        twice = xr.DataArray(np.ones((2, 2)), dims=("x", "x"))
    with pytest.raises(ValueError, match="q: scale has the dimension 'x' twice"):
        kl(stats.norm(CHAIN), stats.norm(0, twice))


def test_coordinates_are_aligned_as_the_option_says():
    p, q = stats.norm(CHAIN, 1), stats.norm(CHAIN[1:], 2)
    for join in ("outer", "left", "right"):
        with xr.set_options(arithmetic_join=join):
            expected = kl(stats.norm(CHAIN.values, 1), stats.norm(CHAIN.values, 2))
            found = kl(p, q)
            np.testing.assert_array_equal(found.chain, (CHAIN + CHAIN[1:]).chain)
            np.testing.assert_array_equal(found.sel(chain=[1, 2]), expected[1:])
            assert found.isnull().sum() == (join != "right")


@pytest.mark.parametrize("chains", [2, 3])
def test_a_dimension_of_the_batch_named_for_columns_is_doubted(chains):
    covariances = np.arange(1.0, chains + 1)[:, None, None] * (np.eye(3) + 0.1)
    covariance = xr.DataArray(covariances, dims=("chain", "x", "x_bis"))
    p = MultivariateNormal(np.zeros(3), Dense(covariance), dims=("x", "chain"))
    with pytest.raises(ValueError, match=r"are along 'chain' here: .* dims=\('x', 'x_bis'\)\?$"):
        entropy(p)
    asymmetric = covariance + xr.DataArray(np.triu(np.ones((3, 3))), dims=("x", "x_bis"))
    with pytest.raises(ValueError, match=r"if that is what is meant$"):
        entropy(MultivariateNormal(np.zeros(3), Dense(asymmetric), dims=("x", "x_bis")))


def test_coordinates_that_differ_by_rounding_are_told_so():
    first = xr.DataArray([0.0, 1.0], coords={"time": [0.1, 0.3]})
    second = xr.DataArray([1.0, 2.0], coords={"time": [0.1, 0.1 + 0.2]})
    with pytest.raises(ValueError, match=r"rounding alone; .*a\.assign_coords\({'time': b\['time'\]}\)"):
        kl(stats.norm(first), stats.norm(second))
    second = second.assign_coords({"time": first["time"]})
    np.testing.assert_array_equal(kl(stats.norm(first), stats.norm(second)), [0.5, 0.5])


def test_the_variables_of_an_event_are_aligned_exactly_always():
    p, q = (MultivariateNormal(mean, Isotropic(1.0, dim=3)) for mean in (VARIABLES, VARIABLES[::-1]))
    for join in ("outer", "left"):
        with (
            xr.set_options(arithmetic_join=join),
            pytest.raises(ValueError, match="coordinates along 'x'") as told,
        ):
            kl(p, q)
        assert "arithmetic_join" not in str(told.value)


def test_what_comes_in_comes_out():
    """Precision, NaN, no members, numbers with coordinates, several levels of an index."""
    single = kl(stats.norm(CHAIN.astype(np.float32), 1), stats.norm(0, 2))
    assert single.dtype == np.float32
    later = kl(stats.norm(lazy(CHAIN.astype(np.float32)), 1), stats.norm(0, 2))
    assert later.dtype == computed(later).dtype == np.float32
    assert kl(stats.poisson(xr.DataArray([2, 3], dims="x")), stats.poisson(1)).dtype == np.float64
    missing = kl(stats.norm(CHAIN.where(CHAIN > 0.5), 1), stats.norm(0, GROUP))
    np.testing.assert_array_equal(missing.isnull().any("group"), [True, False, False])
    assert kl(stats.norm(CHAIN[:0], 1), stats.norm(0, GROUP)).shape == (0, 2)
    point = kl(stats.norm(CHAIN[1], 1), stats.norm(0, 2))
    assert point.shape == ()
    assert set(point.coords) == {"chain", "model"}
    assert entropy(stats.norm(scale=CHAIN.variable)).dims == ("chain",)
    stacked = BOTH.stack(sample=("chain", "x"))
    assert kl(stats.norm(stacked, 1), stats.norm(0, GROUP)).indexes["sample"].nlevels == 2
    noted = CHAIN.assign_coords(chain=CHAIN.chain.assign_attrs(note="kept"))
    assert kl(stats.norm(noted, 1), stats.norm(0, 2)).chain.attrs == {"note": "kept"}


def test_errors_of_chunks_name_side_and_parameter():
    found = kl(stats.norm(lazy(CHAIN), 1), stats.norm(0, lazy(GROUP - 1.0)))
    with pytest.raises(ValueError, match=r"q: scale .* must be positive"):
        computed(found)
    with pytest.raises(NoClosedFormError, match="BetaNegativeBinomial"):
        entropy(stats.yulesimon(lazy(CHAIN + 1.0)))
    with pytest.raises(ValueError, match="along 'chain'"):
        kl(stats.norm(lazy(CHAIN), 1), stats.norm(CHAIN[1:], 1))


def test_nothing_is_computed_early():
    p, q = stats.beta(lazy(CHAIN), lazy(GROUP)), stats.beta(1.0, 2.0)
    assert explain(p, q).rule == explain(stats.beta(2, 3), stats.beta(1, 2)).rule
    assert explain(p, q).p == "Beta"
    product = independent(stats.uniform(lazy(CHAIN, chain=-1), lazy(GROUP)), ["chain", "group"])
    assert explain(product, product).p == "Independent(Independent(Uniform))"
    assert kl(p, q).chunks == ((2, 1), (2,))
    graph = kl(Normal(lazy(CHAIN), 1.0), Normal(CHAIN, 1.0))
    assert len(cloudpickle.dumps(graph)) < 20_000
    with pytest.raises(ValueError, match=r"\.compute\(\)"):
        estimate_kl(stats.norm(lazy(CHAIN), 1), stats.cauchy(0, GROUP))


def test_stand_ins_of_chunks_are_valid():
    """Where NaN, which may be any number, is refused, as by covariances."""
    means, q = VARIABLES * 0.0, MultivariateNormal(VARIABLES, Diagonal(VARIABLES))
    for variance in (GROUP, lazy(GROUP)):
        p = MultivariateNormal(means, Isotropic(variance, dim=3))
        assert explain(p, q).rule.endswith("→ diagonal_diagonal")
        assert entropy(p).dims == kl(p, q).dims == ("group",)
    np.testing.assert_array_equal(computed(kl(p, q)), kl(MultivariateNormal(means, Isotropic(GROUP, 3)), q))
    product = independent(stats.norm(lazy(GROUP, group=-1), GROUP), "group")
    assert computed(kl(product, independent(stats.norm(GROUP, GROUP), "group"))) == 0.0
    assert (computed(kl(stats.foldnorm(lazy(GROUP * 0.0)), stats.halfnorm())) == 0.0).all()


def test_a_member_is_not_called_by_its_place_in_a_chunk():
    matrices = xr.DataArray([1.0, 1.0, -1.0], dims="chain") * MATRIX
    p = MultivariateNormal(BOTH, Dense(lazy(matrices, chain=1, x=-1, x_bis=-1)), dims=("x", "x_bis"))
    with pytest.raises(np.linalg.LinAlgError, match=r"^in one of the chunks: p: covariance"):
        computed(kl(p, MultivariateNormal(np.zeros(3), Dense(np.eye(3)))))


@pytest.mark.parametrize(
    ("covariance", "dims", "message"),
    [
        (Dense(GROUP * MATRIX), "x", r"covariance has .*, too, dims=\('x', 'x_bis'\)$"),
        (LowRank(VARIABLES, MATRIX.rename(x_bis="k")), "x", r"factor has .*, too, dims=\('x', 'k'\)$"),
        (Dense(VARIABLES), None, "covariance has .* it has none of its columns"),
        (
            Dense(CHAIN * MATRIX),
            ("x", "chain"),
            r"covariance .* along 'x_bis', dims=\('x', 'x_bis'\)",
        ),
    ],
)
def test_columns_that_are_not_named(covariance, dims, message):
    with pytest.raises(ValueError, match=f"^p: {message}"):
        entropy(MultivariateNormal(VARIABLES, covariance, dims=dims))


def test_independent_by_name():
    with pytest.raises(TypeError, match=r"no parameter has the dimension 'x', .* xarray\.zeros_like"):
        independent(stats.norm(0.0, 1.0), "x")
    p, q = stats.norm(BOTH, 1.0), stats.norm(0.0, VARIABLES * GROUP)
    expected = kl(p, q).sum("x")
    found = kl(independent(p, "x"), independent(q, ["x"]))
    assert found.dims == ("chain", "group")
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    total = kl(independent(p, ["x", "chain"]), independent(stats.norm(BOTH, 2.0), ("x", "chain")))
    np.testing.assert_allclose(total, kl(p, stats.norm(BOTH, 2.0)).sum(), rtol=1e-14)
    gaussian = MultivariateNormal(VARIABLES, Diagonal(VARIABLES))
    np.testing.assert_allclose(
        kl(independent(p, "x"), gaussian),
        kl(p, stats.norm(VARIABLES, np.sqrt(VARIABLES))).sum("x"),
        rtol=1e-14,
    )
    gammas = stats.gamma(BOTH, scale=GROUP), stats.gamma(VARIABLES)
    later = kl(independent(gammas[0], "x"), independent(stats.gamma(lazy(VARIABLES, x=-1)), "x"))
    np.testing.assert_allclose(computed(later), kl(*gammas).sum("x"), rtol=1e-13)
    means = MultivariateNormal(BOTH, Dense(MATRIX)), MultivariateNormal(2.0 * BOTH, Dense(MATRIX))
    np.testing.assert_allclose(
        kl(*[independent(one, "chain") for one in means]), kl(*means).sum(), rtol=1e-14
    )
    assert entropy(independent(q, "x")).dims == ("group",)
    for given, kind, message in [
        (1, TypeError, "independent\\(p, 'x'\\)"),
        ("y", ValueError, "no batch dimension 'y', its batch dimensions are: 'chain', 'x'"),
        (["x", "x"], ValueError, "once"),
    ]:
        with pytest.raises(kind, match=message):
            independent(p, given)
    with pytest.raises(TypeError, match="have no names, such as 'x'"):
        independent(stats.norm([0.0, 1.0]), "x")
    with pytest.raises(ValueError, match="no batch dimension 'x', its batch dimensions are: none"):
        independent(gaussian, "x")


def test_estimates_by_name():
    p, q = stats.norm(CHAIN, 1), stats.cauchy(0, GROUP)
    found = estimate_kl(p, q)
    plain = estimate_kl(stats.norm(CHAIN.values[:, None], 1), stats.cauchy(0, GROUP.values))
    for name in ("value", "error", "converged"):
        part = getattr(found, name)
        assert part.dims == ("chain", "group")
        np.testing.assert_array_equal(part, getattr(plain, name))
    assert (found.method, found.n) == (plain.method, plain.n)
    with pytest.raises(ValueError, match="q has a batch without names"):
        estimate_kl(p, stats.cauchy(0, [1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match=r"p: .* out of its domain, at chain=0"):
        estimate_kl(stats.norm(0, CHAIN - 0.5), q) if 0 else estimate_kl(
            stats.norm(0, CHAIN - 0.5), stats.norm()
        )


def test_new_distributions_of_scipy():
    """With names while SciPy keeps them: of one array, and of what is scaled or moved."""
    q = stats.norm(0, GROUP)
    for p, same in [
        (stats.Normal(mu=CHAIN, sigma=1.0), stats.norm(CHAIN, 1.0)),
        (2.0 * stats.Normal(mu=CHAIN, sigma=1.0) + 1.0, stats.norm(2.0 * CHAIN + 1.0, 2.0)),
        (stats.Normal(mu=0.0, sigma=1.0) * CHAIN, stats.norm(0.0, CHAIN)),
    ]:
        xr.testing.assert_allclose(kl(p, q), kl(same, q))
    with pytest.raises(ValueError, match=r"p: scale has shape \(3,\) and no names"):
        kl(stats.Normal(mu=0.0, sigma=1.0) * CHAIN + CHAIN, q)
    assert isinstance(kl(stats.Normal(mu=CHAIN, sigma=CHAIN), stats.norm()), np.ndarray)


def test_copies():
    for one in (
        Normal(CHAIN, 1.0),
        MultivariateNormal(BOTH, Diagonal(BOTH), dims="x"),
        independent(stats.norm(BOTH, 1.0), "x"),
    ):
        for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
            assert type(other) is type(one)
            np.testing.assert_array_equal(kl(other, one), np.zeros(3))


def test_parameters_of_ours_are_checked_when_they_are_made_where_they_are_numbers():
    with pytest.raises(ValueError, match=r"^scale \(the standard deviation\) must be positive, got 0"):
        Normal(CHAIN, 1.0 - GROUP)
    assert isinstance(Normal(lazy(CHAIN), 1.0 - lazy(GROUP)), Normal)
    with pytest.raises(ValueError, match="have no names"):
        MultivariateNormal(np.zeros(3), Isotropic(1.0, dim=3), dims="x")
    with pytest.raises(ValueError, match="one name or two different ones"):
        MultivariateNormal(VARIABLES, Dense(MATRIX), dims=("x", "x"))


def test_graphs_have_no_names():
    import pytensor.tensor as pt

    with pytest.raises(TypeError, match="q is a graph whose dimensions are unnamed"):
        kl(stats.norm(CHAIN, 1), Normal(pt.scalar(), 1.0))
    with pytest.raises(TypeError, match="p: scale is a variable of a graph"):
        kl(Normal(CHAIN, pt.scalar()), stats.norm())


def test_closed_forms_of_others_get_arrays():
    """A rule for a generator takes what it would without names."""

    class Wave(stats.rv_continuous):
        pass

    @register_kl(Wave, Wave)
    def wave_wave(p, q):
        assert type(p.kwds["scale"]) is np.ndarray
        return p.kwds["scale"] + q.kwds["scale"]

    found = kl(Wave()(scale=CHAIN), Wave()(scale=GROUP))
    xr.testing.assert_equal(found.drop_attrs(), CHAIN + GROUP)
