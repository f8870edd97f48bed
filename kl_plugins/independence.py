"""Batch dimensions that become dimensions of the event."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Integral

from kl_plugins.errors import HasNames
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.matching import recognised
from kl_plugins.parameters.labels import moved_to_event


def independent(p: object, ndims: int | str | Sequence[Hashable] = 1) -> Distribution:
    """Turn batch dimensions of `p` into event dimensions: the last `ndims`, or those of given names.

    Parameters
    ----------
    p : distribution
        As in `kl`.
    ndims : int, or str or sequence of hashable
        How many of the trailing batch dimensions become part of the event. Of parameters with named
        dimensions (xarray): the names of those that do, ``"x"`` or ``["x", "y"]``, in the order of the event.

    Returns
    -------
    Distribution
        A batch of normals becomes a diagonal `MultivariateNormal`.

    Raises
    ------
    TypeError
        If `p` is not a distribution that is understood, `ndims` is neither a whole number nor names, or a
        number where dimensions have names, or names where they have none.
    ValueError
        If `p` has fewer than `ndims` batch dimensions, or none of a name, or `ndims` is negative.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import independent, kl
    >>> p, q = stats.norm([0.0, 1.0, 2.0], 1.0), stats.norm([0.0, 0.0, 0.0], 1.0)
    >>> kl(p, q)
    array([0. , 0.5, 2. ])
    >>> kl(independent(p), independent(q))
    np.float64(2.5)
    """
    from kl_plugins.families.independent import product_over_last  # and with it many families
    from kl_plugins.labelled.products import product_by_name

    if isinstance(ndims, str | list | tuple):
        return product_by_name(p, (ndims,) if isinstance(ndims, str) else tuple(ndims))
    if not isinstance(ndims, Integral):
        raise TypeError(f"ndims must be a whole number, or names of dimensions, got {type(ndims).__name__}")
    count = int(ndims)
    try:
        made = recognised(p, "p")
        batch = made.batch_shape
    except HasNames:
        raise HasNames("p has named dimensions: name those of an event, as in independent(p, 'x')") from None
    if count < 0 or count > len(batch):
        raise ValueError(
            f"ndims must be between 0 and the number of batch dimensions, here "
            f"{len(batch)} (batch shape {batch}), got {count}"
        )
    labels = moved_to_event(made.labels, count)
    for _ in range(count):
        made = product_over_last(made)
    return made.labelled(labels)
