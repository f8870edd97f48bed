"""Tables of Dask arrays stay lazy, and have the bits of those in memory, however they are chunked."""

import pickle

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import gaussians
from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    LowRank,
    MultivariateNormal,
    NoClosedFormWarning,
    Precision,
    kl,
    pairwise_kl,
)
from kl_plugins.pairwise import batches

RNG = np.random.default_rng(5)


def numbers(low=0.3, high=3.0, count=23):
    return xr.DataArray(RNG.uniform(low, high, count), dims="i")


MATRICES = np.array([gaussians.well_conditioned(RNG, 3, gaussians.ANY) for _ in range(23)])
MATRICES[7] = MATRICES[3]
MEANS = RNG.normal(size=(23, 3))
MEANS[7] = MEANS[3]
MEAN, MATRIX = xr.DataArray(MEANS, dims=("i", "x")), xr.DataArray(MATRICES, dims=("i", "x", "y"))
VARIANCES = xr.DataArray(np.diagonal(MATRICES, axis1=1, axis2=2), dims=("i", "x"))
FACTOR = xr.DataArray(np.linalg.cholesky(MATRICES), dims=("i", "x", "y"))


def gaussian(covariance, **dims):
    return lambda mean, *values: MultivariateNormal(mean, covariance(*values), **dims)


SQUARE = {"dims": ("x", "y")}
CASES = {
    "normal": (stats.norm, numbers(-2.0), numbers()),
    "gamma": (lambda a, scale: stats.gamma(a, scale=scale), numbers(), numbers()),
    "beta": (stats.beta, numbers(), numbers()),
    "Poisson": (stats.poisson, numbers()),
    "Weibull": (lambda a: stats.weibull_min(a, scale=2.0), numbers()),
    "Dense": (gaussian(Dense, **SQUARE), MEAN, MATRIX),
    "Dense, float32": (gaussian(Dense, **SQUARE), MEAN.astype(np.float32), MATRIX.astype(np.float32)),
    "Dense, in common": (gaussian(Dense, **SQUARE), MEAN, MATRIX[0]),
    "Cholesky": (gaussian(Cholesky, **SQUARE), MEAN, FACTOR),
    "Precision": (gaussian(Precision, **SQUARE), MEAN, MATRIX),
    "Diagonal": (gaussian(Diagonal, dims=("x",)), MEAN, VARIANCES),
    "Isotropic": (gaussian(lambda v: Isotropic(v, dim=3), dims=("x",)), MEAN, numbers()),
}
CHUNKS = [(5, 9), (1, 23), (11, 1), (23, 22)]


def lazily(case, chunk):
    make, *values = CASES[case]
    return make(*[value.chunk(i=chunk) if "i" in value.dims else value for value in values])


@pytest.mark.parametrize("case", CASES)
def test_chunks_do_not_change_a_bit(case):
    make, *values = CASES[case]
    expected = pairwise_kl(make(*values))
    assert isinstance(expected.data, np.ndarray)
    assert (np.diagonal(expected) == 0.0).all()
    for rows, columns in CHUNKS:
        table = pairwise_kl(lazily(case, rows), lazily(case, columns))
        assert isinstance(table.data, da.Array)
        assert table.dtype == expected.dtype
        assert table.dims == ("i", "i_bis")
        assert max(table.chunks[0]) == rows
        with dask.config.set(scheduler="synchronous"):
            np.testing.assert_array_equal(table, expected)


def test_a_large_table_has_the_bits_of_its_blocks(monkeypatch):
    """So many pairs are computed by compiled loops, where there are any; and so is every block of them."""
    shape, scale = numbers(count=500), numbers(count=500)
    expected = pairwise_kl(stats.gamma(shape, scale=scale))
    lazy = stats.gamma(shape.chunk(i=130), scale=scale.chunk(i=70))
    np.testing.assert_array_equal(pairwise_kl(lazy).compute(scheduler="threads"), expected)
    block = pairwise_kl(stats.gamma(shape[:9], scale=scale[:9]))
    np.testing.assert_allclose(block, expected[:9, :9], rtol=1e-13)


def test_each_chunk_is_prepared_once(monkeypatch):
    """4 + 3 chunks, 12 blocks: not a factor per block."""
    made = []
    prepare = batches.Prepared.__init__
    monkeypatch.setattr(
        batches.Prepared, "__init__", lambda self, one: (made.append(1), prepare(self, one))[1]
    )
    table = pairwise_kl(lazily("Dense", 6), lazily("Dense", 8))
    assert table.data.npartitions == 12
    table.compute(scheduler="synchronous")
    assert len(made) == 4 + 3 + 1  # and what says where the means are


def test_copies_for_other_processes_keep_factors():
    p = batches.Prepared(
        MultivariateNormal(MEANS, BlockDiagonal([Dense(MATRICES[:, :2, :2]), Diagonal(MATRICES[:, 2:, 2])]))
    )
    copy = pickle.loads(pickle.dumps(p))
    (factor,) = (vars(part)["factor"] for part in copy.made.covariance.components() if "factor" in vars(part))
    np.testing.assert_array_equal(factor, p.made.covariance.blocks[0].factor)
    diagonal = LowRank(VARIANCES.values, MEANS[:, :, None])
    one = pickle.loads(pickle.dumps(batches.Prepared(MultivariateNormal(MEANS, diagonal))))
    assert one.count == 23


def test_beside_what_is_in_memory():
    p = lazily("normal", 5)
    plain = CASES["normal"][0](*[value.values for value in CASES["normal"][1:]])
    expected = pairwise_kl(plain)
    make, *values = CASES["normal"]
    for table in (pairwise_kl(p, make(*values)), pairwise_kl(make(*values), p), pairwise_kl(p, plain)):
        assert table.chunks is not None
        np.testing.assert_array_equal(table.compute(scheduler="synchronous"), expected)
    with pytest.raises(TypeError, match=r"^qs: beside Dask arrays .* one family"):
        pairwise_kl(p, [stats.norm(), stats.t(3)])


def test_several_dimensions_and_reductions():
    mean, scale = numbers(count=6), xr.DataArray(RNG.uniform(1, 2, (4, 6)), dims=("k", "i"))
    expected = pairwise_kl(stats.norm(mean, scale))
    lazy = pairwise_kl(stats.norm(mean.chunk(i=4), scale.chunk(i=3, k=3)))
    assert lazy.dims == expected.dims
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(lazy, expected)
        np.testing.assert_array_equal(lazy.max(("i_bis", "k_bis")), expected.max(("i_bis", "k_bis")))


def test_what_cannot_be_chunked():
    with pytest.raises(ValueError, match=r"^ps: mean is in 2 chunks along 'x'.*\.chunk\(\{'x': -1\}\)"):
        pairwise_kl(MultivariateNormal(MEAN.chunk(x=2), Diagonal(VARIANCES), dims=("x",)))
    unknown = da.from_array(np.arange(5.0), chunks=2)
    unknown = xr.DataArray(unknown[unknown > 1.0], dims="i")
    with pytest.raises(
        ValueError, match=r"^ps: loc has chunks of unknown sizes along 'i'.*compute_chunk_sizes"
    ):
        pairwise_kl(stats.norm(unknown, 1.0))


def test_nothing_has_no_pairs():
    p = lazily("normal", 5)
    nothing = stats.norm(numbers()[:0].chunk(i=5), 1.0)
    for sides, shape in (((nothing, p), (0, 23)), ((p, nothing), (23, 0))):
        assert pairwise_kl(*sides).compute(scheduler="synchronous").shape == shape
    mean = MEAN[:0].chunk(i=2)
    empty = MultivariateNormal(mean, Diagonal(VARIANCES[:0]), dims=("x",))
    assert pairwise_kl(empty, lazily("Diagonal", 4)).compute(scheduler="synchronous").shape == (0, 23)


def test_pairs_without_a_closed_form_are_nan_where_they_are_computed():
    scale = numbers(count=3).chunk(i=2)
    members = stats.genlogistic(2.0, 0.0, scale)
    table = pairwise_kl(members)
    with pytest.warns(NoClosedFormWarning, match=r"pairs of a block have no closed form"):
        values = table.compute(scheduler="synchronous")
    np.testing.assert_array_equal(np.isnan(values), ~np.eye(3, dtype=bool))
    estimated = pairwise_kl(members, estimate=True).compute(scheduler="synchronous")
    assert np.isfinite(estimated).all()


def test_kl_by_name_is_lazy_too():
    p = lazily("normal", 5)
    assert kl(p, stats.norm(0.0, 1.0)).chunks == ((5, 5, 5, 5, 3),)


def test_errors_of_a_chunk_name_the_side():
    bad = MATRIX.copy()
    bad[7] = -np.eye(3)
    lazy = MultivariateNormal(MEAN, Dense(bad.chunk(i=5)), dims=("x", "y"))
    with pytest.raises(np.linalg.LinAlgError, match=r"^ps, in one of its chunks: .* member 2 of"):
        pairwise_kl(lazy).compute(scheduler="synchronous")
    scale = xr.DataArray([1.0, -1.0], dims="i").chunk(i=1)
    with pytest.raises(ValueError, match=r"^ps: scale .* must be positive"):
        pairwise_kl(stats.norm(0.0, scale)).compute(scheduler="synchronous")
