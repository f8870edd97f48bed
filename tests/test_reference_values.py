"""`kl` against the table of reference values, whose digits are proved, and the table against its proofs."""

import math
import random
from itertools import groupby

import pytest
from flint import arb

from enclosures import integrals, rows, sums
from enclosures.images import DENSITIES
from enclosures.masses import MASSES
from kl_plugins import explain, kl


def of_p(row):
    return row.p.name


TABLE = rows.read()
BY_NAME = {name: list(found) for name, found in groupby(sorted(TABLE, key=of_p), of_p)}
EPSILON = 2.0**-52
ULPS = 128
"""So many units of rounding may be lost, times what goes into a divergence has of it."""
SUMS_OF_TERMS = {
    *("by_statistics", "continuous_normal", "beta_uniform", "image_image"),
    *("beta_gamma", "pareto_exponential", "pareto_pareto"),
}
"""Rules by which terms of either sign are added: their rounding stays, however small the divergence."""
ELSEWHERE = {
    *("gamma_gamma", "truncated_truncated", "truncated_exponential_truncated_exponential"),
    "bradford_bradford",
}
"""Rules that do so where two distributions start at different places."""
NOT_ENCLOSED: set[str] = set()
"""Names of the table of pairs whose densities `enclosures` has not yet."""


def distributions(row):
    return rows.distribution(row.p), rows.distribution(row.q)


def size(side):
    """Of the terms of a log density: the logarithms of its constant and scale; shapes, and their inverses."""
    *shapes, _, scale = side.numbers
    constant = abs(float(DENSITIES[side.name](*shapes).log.constant))
    finite = [abs(shape) for shape in shapes if shape and math.isfinite(shape)]
    return constant + abs(math.log(scale)) + sum(shape + 1.0 / shape for shape in finite)


@pytest.mark.parametrize("name", BY_NAME)
def test_divergences_are_the_enclosed_ones(name):
    """To rounding: of parameters, of log p − log q by √(2 KL), and of expectations where these are added."""
    for row in BY_NAME[name]:
        p, q = distributions(row)
        found, exact = float(kl(p, q)), float(row.kl)
        if row.p == row.q:
            assert found == exact == 0.0
            continue
        scale = exact + float(row.condition)
        if exact > 1.0:  # by the exponential of a logarithm
            scale += exact * math.log(exact)
        if abs(found - exact) > ULPS * EPSILON * scale:
            rule = explain(p, q).rule
            if row.p.name in MASSES:
                scale += math.sqrt(2.0 * exact)
            elif rule in SUMS_OF_TERMS or (rule in ELSEWHERE and row.p.numbers[-2] != row.q.numbers[-2]):
                scale += 1.0 + size(row.p) + size(row.q)
            assert abs(found - exact) <= ULPS * EPSILON * scale, row


def test_every_closed_pair_of_the_reference_is_in_the_table():
    there = {(row.p.name, row.q.name) for row in TABLE}
    names = {name for pair in rows.closed_pairs() for name in pair}
    assert names - rows.KNOWN.keys() == NOT_ENCLOSED, "write it down in tests/enclosures"
    missing = {pair for pair in rows.closed_pairs() if not NOT_ENCLOSED & {*pair}} - there
    assert not missing, "run python tests/reference_values.py"


def test_the_table_is_as_its_page_says():
    assert len({row.pair for row in TABLE}) == len(TABLE)
    for row in TABLE:
        assert float(row.radius) <= 1e-17 * float(row.kl) < math.inf
        assert float(row.condition) >= 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", rows.KNOWN)
def test_probabilities_sum_to_one(name):
    """Constants, terms and tails of the judge itself."""
    members = {row.p.parameters: row.p for row in BY_NAME.get(name, [])}
    for one in members.values():
        count = 2 if name in DENSITIES else 1
        make = rows.KNOWN[name](*one.numbers[:-count])
        total = sums.mass(make) if name in MASSES else integrals.mass(make)
        assert abs(total - 1) < 1e-15, one  # probabilities that are given may not sum to one exactly
        assert total.rad() < 1e-17


@pytest.mark.slow
def test_rows_can_be_enclosed_again():
    for row in random.Random(1).sample(TABLE, 100):
        ball = arb(row.kl, row.radius)
        assert ball.overlaps(rows.enclosed(row)), row
