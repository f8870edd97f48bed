"""Divergences between all pairs of two collections of distributions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, overload

from kl_plugins.labelled import labelled_side
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.pairwise.collections import listed, named
from kl_plugins.pairwise.numbers import numbers
from kl_plugins.pairwise.singly import Found, Missing
from kl_plugins.progress import AFTER, progress_line

if TYPE_CHECKING:
    from xarray import DataArray

    from kl_plugins.estimate.estimation import Seed


@overload
def pairwise_kl(  # type: ignore[overload-overlap]  # a dictionary is an object, too
    ps: Mapping[Any, object],
    qs: object = None,
    *,
    estimate: bool = False,
    random_state: Seed = None,
    progressbar: bool = True,
) -> DataArray: ...
@overload
def pairwise_kl(  # type: ignore[overload-overlap]
    ps: object,
    qs: Mapping[Any, object],
    *,
    estimate: bool = False,
    random_state: Seed = None,
    progressbar: bool = True,
) -> DataArray: ...
@overload
def pairwise_kl(
    ps: object,
    qs: object = None,
    *,
    estimate: bool = False,
    random_state: Seed = None,
    progressbar: bool = True,
) -> FloatArray: ...
def pairwise_kl(
    ps: object,
    qs: object = None,
    *,
    estimate: bool = False,
    random_state: Seed = None,
    progressbar: bool = True,
) -> Any:
    """KL divergence, in nats, of every one of N distributions from every one of M.

    Parameters
    ----------
    ps : iterable of distributions, dictionary or pandas Series of distributions, or one batch
        As in `kl`; numbers, not graphs. A batch has batch shape (N,), or named dimensions.
    qs : the same, optional
        By default `ps` itself.
    estimate : bool, optional
        Whether pairs without a closed form are estimated by `estimate_kl`. Their errors are left out: call it
        yourself where you need them.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, optional
        Seed of the estimates by Monte Carlo, as in `estimate_kl`. With a whole number each pair has the value
        that `estimate_kl` gives it with that number, whatever is beside it.
    progressbar : bool, optional
        Whether to show what is being done, in a terminal or notebook, once it takes two seconds.

    Returns
    -------
    numpy.ndarray or xarray.DataArray, shape (N, M)
        Entry (i, j) is the divergence of ``ps[i]`` from ``qs[j]``, exactly 0.0 where the two are equal. Where
        a side has keys, a DataArray of the name "kl": the keys are coordinates of the dimensions "p" and "q",
        or what the index of a Series is called, the second with the suffix "_bis" where both have one name.
        Where a side is a batch with named dimensions (xarray's), these are the dimensions of the table; it is
        lazy where parameters are in chunks (Dask's).

    Raises
    ------
    TypeError
        If a distribution is not understood, or is symbolic.
    ValueError
        If a member of a sequence is a batch, or a single distribution does not have one batch dimension.
    ValueError, numpy.linalg.LinAlgError
        As `kl` does; of a pair the message says the row and the column.
    NoClosedFormError
        If a pair of two sides without keys has no closed form, and none is to be estimated.

    Warns
    -----
    NoClosedFormWarning
        If pairs of a DataArray are NaN as they have no closed form, or pairs of any table as they could not
        be estimated either; it counts them.
    EstimateWarning
        If estimates are not to be relied on; it counts them, and says why of the first.

    Notes
    -----
    Each distribution is recognised, checked and factored once. Those of one family and structure are
    stacked, and the pairs computed as batches; what differs in kind is computed pair by pair, and so is what
    has a closed form of its own by `register_kl`.

    Gaussians of d variables, both sides with full covariances or both with diagonal ones, take O(d²) or
    O(d) for a pair, in products of matrices for many pairs. Its rounding error is estimated for each pair;
    pairs that are too close to each other for it, equal ones among them, are computed as `kl` does.
    Beside inputs, their factors and the result, memory does not depend on the number of pairs.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import pairwise_kl
    >>> pairwise_kl([stats.norm(0, 1), stats.norm(1, 1), stats.norm(3, 1)])
    array([[0. , 0.5, 4.5],
           [0.5, 0. , 2. ],
           [4.5, 2. , 0. ]])
    >>> table = pairwise_kl({"near": stats.norm(0, 1), "far": stats.norm(3, 1)})
    >>> float(table.sel(p="near", q="far"))
    4.5
    """
    sides = {"ps": ps, "qs": ps if qs is None else qs}
    keyed = [named(side, name) for name, side in sides.items()]
    if random_state is not None:
        from kl_plugins.estimate.estimation import generator_of

        generator_of(random_state)  # an error where it is none
    if any(keyed) or any(labelled_side(side, name) is not None for name, side in sides.items()):
        if find_spec("xarray") is None:
            raise ImportError(
                "pairwise_kl labels the divergences of what has keys, by xarray: install it with "
                'pip install "kl-plugins[xarray]", or pass list(d.values()) for an array without labels'
            )
        from kl_plugins.pairwise.tables import of_sides

        with progress_line(progressbar, after=AFTER) as report:
            report(DIVERGENCES)
            found = Found(Missing.IS_ESTIMATED if estimate else Missing.IS_NAN, random_state, report)
            return of_sides(sides, keyed, found)
    left = listed(ps)
    right = left if qs is None else listed(qs)
    with progress_line(progressbar, after=AFTER) as report:
        report(DIVERGENCES)
        found = Found(Missing.IS_ESTIMATED if estimate else Missing.RAISES, random_state, report)
        table = numbers(left, right, found)
    found.warn(f"{table.size} pairs", 2)
    return table


DIVERGENCES = "divergences of all pairs"
"""What is being done where nothing more is known."""
