"""Random parameters of every name of the table of pairs: never negative, NaN or wrongly infinite."""

import math
from collections import defaultdict

import numpy as np
import pytest

from enclosures import integrals, rows
from kl_plugins import NoClosedFormError, kl

pytestmark = pytest.mark.slow

PLAIN = rows.specimens()
AGAINST = defaultdict(list)
for _p, _q in rows.closed_pairs():
    AGAINST[_p].append(_q)
DRAWS = 25
"""Of pairs for each name."""
FACTORS = 0.1, 1.0, 3.0, 8.0
"""So many powers of ten parameters are drawn away from the plain ones."""
SLOW = {"alpha", "dgamma", "dweibull", "foldnorm", "gennorm", "invgauss", "moyal", "nbinom", "wrapcauchy"}
"""Whose extreme members take the judge long."""
PARTLY = {"pm.DiscreteWeibull"}
"""Which the judge knows for some parameters alone."""


def drawn(rng, plain):
    """A distribution of the name, of random parameters, of which some are at the ends of their domains."""
    count = 2 if plain.name in rows.DENSITIES else 1
    shapes, rest = plain.numbers[:-count], plain.numbers[-count:]
    wide = rng.choice(FACTORS, p=[0.3, 0.4, 0.2, 0.1])
    if count == 2 and not plain.name.startswith("pm."):
        loc, scale = rest
        moved = rng.normal() * 10.0 ** rng.uniform(-2.0, 1.0) * scale if rng.random() < 0.2 else 0.0
        stretched = 10.0 ** rng.uniform(-wide, wide) if rng.random() < 0.6 else 1.0
        rest = [float(loc + moved), float(scale * stretched)]
    return rows.side(plain.name, [*(_shape(rng, shape, wide) for shape in shapes), *rest])


def _shape(rng, shape, wide):
    if isinstance(shape, list):
        whole = abs(sum(shape) - 1.0) < 1e-12 and len(shape) > 1
        return list(rng.dirichlet(np.full(len(shape), 10.0 ** rng.uniform(-1.0, 1.0)))) if whole else shape
    if isinstance(shape, int):
        return round(shape * 10.0 ** rng.uniform(-0.5, 1.0))
    if rng.random() < 0.05:
        return float(rng.choice([0.0, 0.5, 1.0, 2.0, -shape]))
    if 0.0 < abs(shape) < 1.0 and rng.random() < 0.5:  # where it may have to be below 1
        small = rng.random() ** 3
        return math.copysign(small if rng.random() < 0.5 else 1.0 - small, shape)
    return float(shape * 10.0 ** rng.uniform(-wide, wide))


def divergence(p, q):
    """None where parameters are refused, or there is no closed form."""
    try:
        return float(kl(rows.distribution(p), rows.distribution(q)))
    except (NoClosedFormError, ValueError):
        return None


@pytest.mark.parametrize("name", PLAIN)
def test_divergences_are_numbers_that_may_be(name):
    rng = np.random.default_rng(sum(map(ord, name)))
    enclosed = name in SLOW | PARTLY
    for _ in range(DRAWS):
        p = drawn(rng, PLAIN[name])
        other = name if rng.random() < 0.5 or not AGAINST[name] else str(rng.choice(AGAINST[name]))
        q = drawn(rng, PLAIN[other])
        found = divergence(p, q)
        if found is None:
            continue
        assert found >= 0.0, (p, q)  # and no NaN
        assert divergence(p, rows.side(p.name, p.numbers)) == 0.0, p
        if not enclosed and name == other and p != q:
            enclosed = True
            assert_as_enclosed(found, rows.Row(p, q))


def assert_as_enclosed(found, row):
    """Finite where the enclosed one is, and near it."""
    try:
        exact = float(rows.enclosed(row).mid())
    except integrals.OutsideError:
        exact = math.inf
    except ArithmeticError:  # Arb cannot tell
        return
    assert math.isinf(found) == math.isinf(exact), row
    if math.isfinite(exact):
        condition = rows.condition(row)
        assert abs(found - exact) <= 1e-9 * exact + 1e-13 * condition + 1e-9, row
