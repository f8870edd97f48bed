"""All pairs of two collections are what `kl` says of each pair."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gaussians
from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    LowRank,
    MultivariateNormal,
    NoClosedFormError,
    NoClosedFormWarning,
    Precision,
    estimate_kl,
    independent,
    kl,
    pairwise_kl,
    register_kl,
)
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.extend import Normal

MAKE = {
    "Isotropic": lambda c: Isotropic(c[0, 0], dim=len(c)),
    "Diagonal": lambda c: Diagonal(np.diagonal(c)),
    "Dense": Dense,
    "Cholesky": lambda c: Cholesky(np.linalg.cholesky(c)),
    "Precision": lambda c: Precision((np.linalg.inv(c) + np.linalg.inv(c).T) / 2),
    "Eigendecomposition": lambda c: Eigendecomposition(*np.linalg.eigh(c)),
    "BlockDiagonal": lambda c: BlockDiagonal([Dense(c[:2, :2]), Diagonal(c[2:, 2])]),
    "Kronecker": lambda c: Kronecker([Dense(c), Isotropic(2.0, dim=1)]),
    "LowRank": lambda c: LowRank(np.diagonal(c), c[:, :1]),
}


def several(structure, count, seed, dimension=3):
    rng = np.random.default_rng(seed)
    covariances = [gaussians.well_conditioned(rng, dimension, gaussians.ANY) for _ in range(count)]
    return [MultivariateNormal(rng.normal(size=dimension), MAKE[structure](c)) for c in covariances]


def one_by_one(ps, qs):
    return np.array([[kl(p, q) for q in qs] for p in ps])


@pytest.mark.parametrize("q_structure", MAKE)
@pytest.mark.parametrize("p_structure", MAKE)
def test_all_pairs_of_gaussians(p_structure, q_structure):
    ps, qs = several(p_structure, 4, 1), several(q_structure, 5, 2)
    np.testing.assert_allclose(pairwise_kl(ps, qs), one_by_one(ps, qs), rtol=1e-12)


@pytest.mark.parametrize("structure", MAKE)
def test_pairs_of_one_collection_have_a_diagonal_of_exact_zeros(structure):
    ps = several(structure, 4, 3)
    value = pairwise_kl(ps)
    np.testing.assert_array_equal(np.diagonal(value), np.zeros(4))
    np.testing.assert_allclose(value, one_by_one(ps, ps), rtol=1e-12, atol=1e-25)


def test_structures_and_families_may_be_mixed():
    ps = [*several("Dense", 2, 1), *several("Diagonal", 2, 2)]
    np.testing.assert_allclose(pairwise_kl(ps), one_by_one(ps, ps), rtol=1e-12)
    norms = [stats.norm(m, s) for m, s in ((0.0, 1.0), (1.0, 2.0), (3.0, 0.5))]
    np.testing.assert_allclose(pairwise_kl(norms, norms[:2]), one_by_one(norms, norms[:2]), rtol=1e-14)


@pytest.mark.parametrize("covariance_is_batched", [True, False])
def test_a_batch_is_a_collection(covariance_is_batched):
    rng = np.random.default_rng(6)
    means = rng.normal(size=(4, 3))
    batch = np.array([gaussians.well_conditioned(rng, 3, gaussians.ANY) for _ in range(4)])
    matrices = batch if covariance_is_batched else np.broadcast_to(batch[0], batch.shape)
    p = MultivariateNormal(means, Dense(batch if covariance_is_batched else batch[0]))
    alone = [MultivariateNormal(mean, Dense(matrix)) for mean, matrix in zip(means, matrices, strict=True)]
    expected = one_by_one(alone, alone)
    for value in (pairwise_kl(p), pairwise_kl(p, alone), pairwise_kl(alone, p), pairwise_kl(p, p)):
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-25)
    mixed = several("Diagonal", 1, 2) + several("Dense", 1, 3)
    np.testing.assert_allclose(pairwise_kl(p, mixed), one_by_one(alone, mixed), rtol=1e-12)
    np.testing.assert_array_equal(pairwise_kl(stats.norm([0.0, 1.0], 1.0)), [[0.0, 0.5], [0.5, 0.0]])


@pytest.mark.parametrize("structure", [BlockDiagonal, Kronecker])
def test_a_batch_of_composites_is_a_collection(structure):
    rng = np.random.default_rng(8)
    first = np.array([gaussians.well_conditioned(rng, 2, gaussians.ANY) for _ in range(4)])
    second = gaussians.well_conditioned(rng, 3, gaussians.ANY)
    means = rng.normal(size=(4, 5 if structure is BlockDiagonal else 6))
    batch = MultivariateNormal(means, structure([Dense(first), Dense(second)]))
    alone = [
        MultivariateNormal(mean, structure([Dense(matrix), Dense(second)]))
        for mean, matrix in zip(means, first, strict=True)
    ]
    for value in (pairwise_kl(batch), pairwise_kl(batch, alone), pairwise_kl(alone, batch)):
        np.testing.assert_allclose(value, one_by_one(alone, alone), rtol=1e-12, atol=1e-25)


def test_iterators_and_arrays_of_objects_are_collections():
    norms = [stats.norm(0.0, 1.0), stats.norm(1.0, 1.0)]
    named = dict(zip("ab", norms, strict=True))
    views = named.values(), pd.Series(named), tuple(norms)
    for collection in (*views, iter(norms), (one for one in norms), np.array(norms, dtype=object)):
        np.testing.assert_array_equal(pairwise_kl(collection), [[0.0, 0.5], [0.5, 0.0]])


def test_nothing_has_no_pairs():
    ps = several("Dense", 3, 1)
    assert pairwise_kl([]).shape == (0, 0)
    assert pairwise_kl(ps, []).shape == (3, 0)
    assert pairwise_kl([], ps).shape == (0, 3)


def test_bad_collections():
    batch = stats.norm([0.0, 1.0], 1.0)
    with pytest.raises(ValueError, match=r"^ps\[0\]: pairwise_kl takes .* batch shape \(2,\)"):
        pairwise_kl([batch])
    with pytest.raises(ValueError, match=r"^qs: pairwise_kl takes .* batch shape \(\)"):
        pairwise_kl(batch, stats.norm())
    with pytest.raises(TypeError, match=r"^qs: these are no distributions, but numbers: fit"):
        pairwise_kl(batch, [3])
    with pytest.raises(TypeError, match=r"^ps: pandas.*DataFrame is not a distribution, but data"):
        pairwise_kl(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(ValueError, match=r"^ps\[1\]: scale .* must be positive"):
        pairwise_kl([stats.norm(), stats.norm(0.0, -1.0)])


FAMILIES = {
    "gamma": [stats.gamma(2), stats.gamma(3), stats.gamma(2, scale=3)],
    "exponential": [stats.expon(), stats.expon(scale=2)],
    "powers of gamma": [stats.weibull_min(2), stats.gamma(3), stats.rayleigh()],
    "both directions": [stats.weibull_max(2), stats.weibull_min(2)],
    "Gumbel": [stats.gumbel_r(), stats.gumbel_l(1), stats.loggamma(2)],
    "log-normal": [stats.lognorm(1), stats.lognorm(2, scale=3)],
    "Poisson": [stats.poisson(2), stats.poisson(3)],
    "binomial": [stats.binom(3, 0.2), stats.binom(5, 0.3)],
    "triangular": [stats.triang(0.2), stats.triang(0.5)],
    "Lévy": [stats.levy(), stats.levy_l()],
    "products": [independent(stats.gamma([2.0, 3.0])), independent(stats.gamma(3.0, scale=[1.0, 2.0]))],
}


@pytest.mark.parametrize("name", FAMILIES)
def test_all_pairs_of_other_families(name):
    members = FAMILIES[name]
    np.testing.assert_allclose(pairwise_kl(members), one_by_one(members, members), rtol=1e-12)


@pytest.mark.parametrize("make", [stats.expon, lambda loc, scale: stats.weibull_min(2.0, loc, scale)])
def test_a_batch_with_parameters_in_common(make):
    batch = make(0.5, [1.0, 2.0])
    members = [make(0.5, scale) for scale in (1.0, 2.0)]
    want = one_by_one(members, members)
    for sides in ((batch,), (batch, members), (members, batch)):
        np.testing.assert_allclose(pairwise_kl(*sides), want, rtol=1e-12)


def test_a_batch_of_products():
    shapes, scales = np.array([[1.0, 2.0], [3.0, 4.0]]), [1.0, 2.0]
    batch = independent(stats.gamma(shapes, scale=scales))
    members = [independent(stats.gamma(row, scale=scales)) for row in shapes]
    np.testing.assert_allclose(pairwise_kl(batch), one_by_one(members, members), rtol=1e-12)


def test_a_pair_without_closed_form_is_named():
    with pytest.raises(NoClosedFormError, match=r"^row 0, .*laplace\(\), and column 1, .*t\(3\): "):
        pairwise_kl([stats.laplace(), stats.t(3)])
    with pytest.raises(NoClosedFormError, match=r"^row 0, .*expon\(\), and column 2, .*t\(3\): no") as told:
        pairwise_kl([stats.expon(), stats.norm(0, 1)], [stats.expon(), stats.norm(), stats.t(3)])
    assert "log(1 + z²)" in told.value.why
    plane = stats.multivariate_normal([0.0, 0.0])
    with pytest.raises(
        ValueError, match=r"^row 0, .*norm.*, and column 1, .*multivariate_normal: .* one variable"
    ):
        pairwise_kl([stats.norm(), plane])
    with pytest.raises(NoClosedFormError, match=r"^row 0, .*laplace.*, and column 1, .*t\(3\): no"):
        pairwise_kl(stats.laplace([0.0, 1.0]), [stats.norm(), stats.t(3)])


def test_classes_with_rules_of_their_own():
    """What `kl` computes by `register_kl`, of objects that nobody recognises."""

    class Coin:
        def __init__(self, heads):
            self.heads = heads

    @register_kl(Coin, Coin)
    def coin_coin(p, q):
        return abs(p.heads - q.heads)

    @register_kl(Coin, Normal)
    def coin_normal(p, q):
        return p.heads + q.loc

    coins = [Coin(0.25), Coin(0.5), Coin(1.0)]
    np.testing.assert_array_equal(pairwise_kl(coins), one_by_one(coins, coins))
    beside = [Coin(0.5), stats.norm(3.0), stats.norm(4.0)]
    np.testing.assert_array_equal(pairwise_kl(coins, beside), one_by_one(coins, beside))
    np.testing.assert_array_equal(pairwise_kl(coins, stats.norm([3.0, 4.0])), one_by_one(coins, beside[1:]))
    with pytest.raises(NoClosedFormError, match=r"closed forms are registered for .*, but none"):
        pairwise_kl(beside, coins)


KEYED = {"a": stats.norm(), "b": stats.norm(1.0), "c": stats.norm(0.0, 2.0)}


def test_a_dictionary_gives_a_table_with_its_keys():
    table = pairwise_kl(KEYED)
    assert (table.dims, table.name, table.attrs["units"]) == (("p", "q"), "kl", "nats")
    np.testing.assert_array_equal(table, pairwise_kl(list(KEYED.values())))
    assert table.sel(p="b", q="c") == kl(KEYED["b"], KEYED["c"])
    beside = pairwise_kl(KEYED, [stats.norm()])
    assert set(beside.coords) == {"p"}
    np.testing.assert_array_equal(beside, table.sel(q=["a"]))
    assert pairwise_kl([stats.norm()], {1: stats.norm(), 2.5: stats.norm(1.0)}).coords["q"].dtype == float
    assert pairwise_kl({}).shape == (0, 0)


def test_groups_of_pandas_are_labelled():
    """What users write: a distribution fitted to each group."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"month": np.repeat([1, 2, 3], 20), "x": rng.normal(size=60), "y": rng.normal(size=60)}
    )
    fit = lambda values: stats.norm(*stats.norm.fit(values))  # noqa: E731
    fitted = frame.groupby("month")["x"].apply(fit)
    table = pairwise_kl(fitted)
    assert table.dims == ("month", "month_bis")
    np.testing.assert_array_equal(table, pairwise_kl(list(fitted)))
    assert table.sel(month=3, month_bis=1) == kl(fitted[3], fitted[1])
    of_columns = frame.groupby("month")[["x", "y"]].agg(fit)
    with pytest.raises(TypeError, match=r"^ps: a DataFrame of distributions has two keys .* frame.stack\(\)"):
        pairwise_kl(of_columns)
    whole = pairwise_kl(of_columns.rename_axis(columns="column").stack()).unstack("p").unstack("q")
    assert set(whole.dims) == {"p_month", "p_column", "q_month", "q_column"}
    chosen = {"p_month": 1, "p_column": "y", "q_month": 2, "q_column": "x"}
    assert whole.sel(chosen) == kl(of_columns["y"][1], of_columns["x"][2])


def test_pairs_without_a_closed_form_are_nan_beside_keys_or_estimated():
    mixed = {"normal": stats.norm(), "Cauchy": stats.cauchy(), "skew": stats.skewnorm(2.0)}
    with pytest.warns(
        NoClosedFormWarning, match=r"^5 of 9 pairs .* The first: row 'normal', .*norm\(\), and"
    ):
        table = pairwise_kl(mixed)
    assert int(table.isnull().sum()) == 5
    assert table.sel(p="Cauchy", q="Cauchy") == 0.0
    whole = pairwise_kl(mixed, estimate=True)
    assert whole.sel(p="normal", q="skew") == estimate_kl(stats.norm(), stats.skewnorm(2.0)).value
    listed = pairwise_kl(list(mixed.values()), estimate=True)
    np.testing.assert_array_equal(listed, whole)
    assert not np.isnan(listed).any()
    with pytest.raises(TypeError, match="int is not a distribution"):
        pairwise_kl({"a": stats.norm(), "b": 3}, estimate=True)


def test_what_one_looks_like_does_not_depend_on_what_is_beside_it():
    """Parts of a table have the bits that they have in the whole: blocks, lists, and any order."""
    rng = np.random.default_rng(9)
    matrices = np.array([gaussians.well_conditioned(rng, 3, gaussians.ANY) for _ in range(70)])
    p = MultivariateNormal(rng.normal(size=(70, 3)), Dense(matrices))
    whole = pairwise_kl(p)
    members = [MultivariateNormal(m, Dense(c)) for m, c in zip(p.mean, matrices, strict=True)]
    chosen = rng.permutation(70)[:37]
    # all count their means from the centre of the second side
    np.testing.assert_array_equal(pairwise_kl([members[i] for i in chosen], p), whole[chosen])
