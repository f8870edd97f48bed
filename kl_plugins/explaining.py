"""Which formula computes a divergence, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from kl_plugins.errors import HasNames, NoClosedFormError
from kl_plugins.html import block, paragraph, table
from kl_plugins.labelled import by_position
from kl_plugins.matching import in_words_of_caller, match, name_of, pair_as_written


@dataclass(frozen=True)
class Explanation:
    """How a divergence is computed: what the two sides are, which rule applies and what it costs.

    Attributes
    ----------
    p, q : str
        The families that the two sides are, with the structures of their covariances.
    rule : str
        The names of the functions that do the work, outermost first.
    cost : str
        In the number of variables d, or whatever else it depends on.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import explain
    >>> print(explain(stats.expon(), stats.gamma(2.0)))
    KL(Gamma ‖ Gamma) by gamma_gamma, O(1)
    """

    p: str
    q: str
    rule: str
    cost: str

    def __str__(self) -> str:
        return f"KL({self.p} ‖ {self.q}) by {self.rule.removeprefix('by_')}, {self.cost}"

    def _repr_html_(self) -> str:
        names = ("p", "q", "rule", "cost")
        return block(
            paragraph("How KL(p‖q) is computed"), table((name, getattr(self, name)) for name in names)
        )


def explain(p: object, q: object) -> Explanation:
    """Say how ``kl(p, q)`` is computed, without computing it.

    Parameters
    ----------
    p, q : distributions
        As in `kl`.

    Returns
    -------
    Explanation
        With the fields ``p`` and ``q`` (family and covariance structure), ``rule`` and ``cost``.

    Raises
    ------
    TypeError, ValueError, NoClosedFormError
        As `kl` does.

    Notes
    -----
    Where there is a closed form only of equal parameters or within a support, these are compared. Nothing
    else is computed, and nothing added to a graph.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import explain
    >>> p = stats.multivariate_normal([0, 0, 0], [1.0, 2.0, 3.0])
    >>> q = stats.multivariate_normal([0, 0, 0], 2.0)
    >>> explained = explain(p, q)
    >>> explained.p, explained.q, explained.cost
    ('MultivariateNormal(Diagonal)', 'MultivariateNormal(Isotropic)', 'O(d)')
    """
    try:
        return _explain(p, q)
    except HasNames:
        pass
    with pair_as_written(p, q):
        return _explain(*by_position(p=p, q=q))


def _explain(p: object, q: object) -> Explanation:
    """`explain` by position; HasNames where that is not how the two go together."""
    rule, ours_p, ours_q = match(p, q)
    try:
        names, cost = rule.explain(ours_p, ours_q)
    except NoClosedFormError as error:
        raise in_words_of_caller(error, p, q) from None
    return Explanation(name_of(ours_p), name_of(ours_q), " → ".join(names), cost)
