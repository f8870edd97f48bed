"""The operations on series and banded PyTensor matrices: nodes that call those on arrays.

Each has derivatives made of the same nodes. Numba and JAX run the recurrences (`numba_support`,
`jax_support`).
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.tensor.blockwise import Blockwise

from kl_plugins.ops.numpy import bands
from kl_plugins.ops.protocol import Array


class _OnOne(Op):  # type: ignore[misc]
    """A function of arrays whose value has the shape and the type that the last of them has."""

    __props__: tuple[str, ...] = ()

    def make_node(self, *given: Array) -> Apply:
        given = tuple(map(pt.as_tensor_variable, given))
        dtype = str(np.result_type(*[x.type.numpy_dtype for x in given]))
        return Apply(self, list(given), [pt.tensor(dtype=dtype, shape=given[-1].type.shape)])

    def infer_shape(self, *args: Array) -> list[Array]:
        return [args[-1][-1]]  # PyTensor 2 gives the whole graph, too


class SolveLowerBand(_OnOne):
    """The solution of one banded lower triangular system, or of its transpose."""

    __props__ = ("transposed",)
    gufunc_signature = "(w,n),(n)->(n)"

    def __init__(self, transposed: bool = False) -> None:
        self.transposed = transposed

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        solve = bands.solve_lower_band_transposed if self.transposed else bands.solve_lower_band
        outputs[0][0] = solve(*inputs)

    def pullback(self, inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        """By the right-hand side it is the other system's solution; by an entry, a product of two numbers."""
        band, _ = inputs
        by_right = SolveLowerBand(not self.transposed)(band, output_gradients[0])
        row, column = (outputs[0], by_right) if self.transposed else (by_right, outputs[0])
        width = band.type.shape[0]
        below = [row, *[pt.concatenate([row[k:], pt.zeros_like(row[:k])]) for k in range(1, width)]]
        return [-pt.stack(below) * column, by_right]

    L_op = pullback  # its name before PyTensor 3


class CovarianceRecursion(_OnOne):
    """P₀, P₁, … of Pₜ₊₁ = Gₜ Pₜ Gₜᵀ + Qₜ from P₀ = 0, of one series."""

    gufunc_signature = "(n,b,b),(n,b,b)->(n,b,b)"

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        outputs[0][0] = bands.covariance_recursion(*inputs)

    def pullback(self, inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        """The derivatives by the noises are the same recursion from the other end: Λₜ = P̄ₜ + GₜᵀΛₜ₊₁Gₜ."""
        transitions, _ = inputs
        (before,) = outputs
        slopes = 0.5 * (output_gradients[0] + output_gradients[0].mT)
        after = CovarianceRecursion()(transitions[::-1].mT, slopes[::-1])[::-1]
        return [2.0 * pt.matmul(pt.matmul(after, transitions), before), after]

    L_op = pullback


class CholeskyBand(_OnOne):
    """The Cholesky factor of one banded matrix, NaN where there is none."""

    gufunc_signature = "(w,n)->(w,n)"

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        (band,) = inputs
        try:
            outputs[0][0] = bands.cholesky_band(band, "")
        except np.linalg.LinAlgError:
            outputs[0][0] = np.full_like(band, np.nan)

    def pullback(self, inputs: Array, outputs: Array, output_gradients: Array) -> list[Array]:
        return [CholeskyBandGradient()(outputs[0], output_gradients[0])]

    L_op = pullback


class CholeskyBandGradient(_OnOne):
    """Derivatives by the entries of a band, from those by the entries of its Cholesky factor."""

    gufunc_signature = "(w,n),(w,n)->(w,n)"

    def perform(self, node: Apply, inputs: Array, outputs: Array) -> None:
        factor, gradient = inputs
        if np.isfinite(factor).all():
            outputs[0][0] = bands.cholesky_band_gradient(factor, gradient)
        else:
            outputs[0][0] = np.full_like(factor, np.nan)


_solve, _solve_transposed, _cholesky, _recursion = map(
    Blockwise, (SolveLowerBand(), SolveLowerBand(True), CholeskyBand(), CovarianceRecursion())
)


def solve_lower_band(band: Array, right: Array) -> Array:
    return _solve(band, right)


def solve_lower_band_transposed(band: Array, right: Array) -> Array:
    return _solve_transposed(band, right)


def cholesky_band(band: Array, name: str, remedy: str = "") -> Array:
    return _cholesky(band)


def covariance_recursion(transitions: Array, noises: Array) -> Array:
    return _recursion(transitions, noises)


def below_diagonal(matrix: Array) -> Array:
    rows, columns = (
        pt.arange(matrix.shape[axis] if matrix.type.shape[axis] is None else matrix.type.shape[axis])
        for axis in (-2, -1)
    )
    return pt.switch(rows[:, None] > columns, matrix, 0.0)
