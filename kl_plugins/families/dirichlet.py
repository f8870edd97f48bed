"""The Dirichlet distribution of proportions."""

from __future__ import annotations

from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.formulas.gamma_ratios import log_ratio_by_step, proportion_divergence, residue_divergence
from kl_plugins.ops.gamma_residues import digamma_residue, log_gamma_residue
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import POSITIVE, parameter
from kl_plugins.parameters.shapes import Shape


class Dirichlet(Multivariate):
    """Dirichlet distributions of the proportions of K categories.

    Parameters
    ----------
    concentration : array_like or TensorVariable, shape (..., K)
        Positive numbers.

    Raises
    ------
    ValueError
        If a concentration is not positive and finite, or there is none.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.dirichlet import Dirichlet
    >>> round(float(kl(Dirichlet([1.0, 1.0, 1.0]), Dirichlet([2.0, 1.0, 1.0]))), 6)
    0.401388
    """

    concentration: Array = parameter(POSITIVE, meaning="alpha", core_ndim=1)

    @property
    def event_shape(self) -> Shape:
        return self.core_shape("concentration")

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.concentration.shape[-1],)

    def log_prob(self, x: Array) -> Array:
        """The log density at `x`, shape (..., K), of the first K − 1 proportions."""
        a, ops = self.concentration, self.ops
        return ops.sum_last((a - 1.0) * ops.log(x) - ops.gammaln(a)) + ops.gammaln(ops.sum_last(a))

    def entropy(self) -> Array:
        """ln B(α) + (A − K) ψ(A) − Σ (αᵢ − 1) ψ(αᵢ), A = Σα, without the large parts of ln Γ and ψ.

        Source: https://en.wikipedia.org/wiki/Dirichlet_distribution#Entropy.
        """
        a, ops = self.concentration, self.ops
        total = ops.sum_last(a)
        each = log_gamma_residue(a, ops) - (a - 1.0) * digamma_residue(a, ops)
        each = each + ops.log(a / total[..., None])
        of_total = digamma_residue(total, ops) * ops.sum_last(a - 1.0) - log_gamma_residue(total, ops)
        return ops.sum_last(each) + of_total


@kl_rules.register(Dirichlet, Dirichlet, cost="O(K)")
def dirichlet_dirichlet(p: Dirichlet, q: Dirichlet) -> Array:
    """The Bregman divergence of Σ ln Γ(αᵢ) − ln Γ(Σα), from p to q.

    Source: https://statproofbook.github.io/P/dir-kl, in a form whose only difference is small beside the
    rest: the part of the sum of the concentrations in the residue of ln Γ.
    """
    ops, first, second = p.ops, p.concentration, q.concentration
    totals = ops.sum_last(first), ops.sum_last(second), ops.sum_last(second - first)
    level = log_ratio_by_step(*totals, ops)
    parts = ops.sum_last(proportion_divergence(first, second, level[..., None], ops))
    return ops.maximum(parts - residue_divergence(*totals, ops), 0.0)


from_scipy("dirichlet")(Dirichlet)
from_pymc("DirichletRV")(Dirichlet)
