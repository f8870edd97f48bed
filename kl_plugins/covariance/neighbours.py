"""Which places are neighbours, and by which weights: what a conditional autoregression is one over."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from kl_plugins.errors import in_a_row
from kl_plugins.ops.protocol import FloatArray

_ROUNDING = 1e-13
"""What an eigenvalue may be off by; of a chain of 100,000 places the second one is farther from 1."""


SYMMETRIC = "must be symmetric"


def neighbour_needed(alone: Sequence[int]) -> str:
    """What weights must do that leave these places alone; which they are may not be known."""
    needed = "must give each place a neighbour"
    if len(alone) < 2:
        return f"{needed}: {f'row {alone[0]} holds' if len(alone) else 'a row holds'} zeros alone"
    places = [str(place) for place in alone[:_MOST_PLACES]]
    more = ["others"] if len(alone) > _MOST_PLACES else []
    return f"{needed}: rows {in_a_row([*places, *more])} hold zeros alone"


_MOST_PLACES = 10
"""So many are told, of the others only that there are some."""


class Neighbours:
    """A symmetric matrix of weights between d places, by its entries above the diagonal; never changed.

    ValueError where the weights are not those of neighbours.
    """

    def __init__(self, weights: Any) -> None:
        if hasattr(weights, "tocoo"):  # one of SciPy's sparse arrays
            held = weights.tocsr().tocoo()  # which adds up entries that are there twice
            shape, rows, columns, given = held.shape, held.row, held.col, np.asarray(held.data, np.float64)
        else:
            if hasattr(weights, "owner"):
                raise ValueError("weights must be numbers, not a variable of a graph: take Precision(matrix)")
            whole = np.asarray(weights, np.float64)
            shape, (rows, columns) = whole.shape, np.nonzero(whole) if whole.ndim == 2 else ((), ())
            given = whole[rows, columns] if whole.ndim == 2 else whole
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"weights must be one square matrix of shape (d, d), got shape {shape}")
        if not (np.isfinite(given).all() and (given >= 0.0).all()):
            raise ValueError("weights must be finite and not negative")
        rows, columns, given = (x[given > 0.0] for x in (rows, columns, given))
        if np.any(rows == columns):
            raise ValueError("weights must be 0 on the diagonal: no place is its own neighbour")
        below, above = (np.lexsort(keys) for keys in ((rows, columns), (columns, rows)))
        turned = zip((rows, columns, given), (columns, rows, given), strict=True)
        if not all(np.array_equal(first[above], second[below]) for first, second in turned):
            raise ValueError(f"weights {SYMMETRIC}")
        alone = np.setdiff1d(np.arange(shape[0]), rows).tolist()
        if alone:
            raise ValueError(f"weights {neighbour_needed(alone)}")
        upper = above[rows[above] < columns[above]]
        self.size = int(shape[0])
        self.first, self.second, self.weights = rows[upper], columns[upper], given[upper]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Neighbours) or self.size != other.size:
            return False
        names = ("first", "second", "weights")
        return self is other or all(np.array_equal(getattr(self, x), getattr(other, x)) for x in names)

    def __hash__(self) -> int:
        return hash((self.size, self.first.tobytes(), self.second.tobytes(), self.weights.tobytes()))

    def __repr__(self) -> str:
        return f"<{len(self.weights)} pairs of {self.size} neighbours>"

    @cached_property
    def degrees(self) -> FloatArray:
        """The sum of the weights of each place, shape (d,)."""
        ends = np.concatenate([self.first, self.second])
        return np.bincount(ends, np.concatenate([self.weights] * 2), self.size).astype(np.float64)

    @cached_property
    def matrix(self) -> FloatArray:
        """The whole matrix W, shape (d, d)."""
        found = np.zeros((self.size, self.size))
        found[self.first, self.second] = found[self.second, self.first] = self.weights
        return found

    @cached_property
    def eigenvalues(self) -> FloatArray:
        """Those λ of D^(-1/2) W D^(-1/2), between −1 and 1, whose sum is 0; made once.

        Places are put in an order in which neighbours are near each other (E. Cuthill and J. McKee, Reducing
        the bandwidth of sparse symmetric matrices, 1969): of a map it has a band of some √d diagonals, in
        which O(d² √d) find the eigenvalues.
        """
        from scipy.linalg import eigvals_banded
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import reverse_cuthill_mckee

        pairs = (np.concatenate(ends) for ends in ((self.first, self.second), (self.second, self.first)))
        pattern = csr_array((np.concatenate([self.weights] * 2), tuple(pairs)), (self.size, self.size))
        place = np.argsort(reverse_cuthill_mckee(pattern, symmetric_mode=True))
        ends = np.sort([place[self.first], place[self.second]], axis=0)
        band = np.zeros((np.diff(ends, axis=0).max() + 1, self.size))
        band[ends[1] - ends[0], ends[0]] = self.weights / np.sqrt(
            self.degrees[self.first] * self.degrees[self.second]
        )
        found: FloatArray = eigvals_banded(band, lower=True)
        extreme = np.abs(found) > 1.0 - _ROUNDING  # 1 is one for each island, −1 where that is bipartite
        return np.where(extreme, np.sign(found), found)
