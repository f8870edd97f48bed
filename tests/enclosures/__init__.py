"""A judge that proves its digits: divergences of univariate distributions, enclosed in balls of Arb.

Every value is an interval that contains the divergence of the exact floating-point parameters. Densities
are written down here once more, as SciPy documents them, and share nothing with the library: `densities.py`
and `masses.py`. `integrals.py` integrates between two points (`acb.integral` bounds its own error),
`tails.py` has the lemma for what lies beyond; `sums.py` is both for the discrete. `rows.py` says of which
pairs the table of reference values is, and ``python tests/reference_values.py`` writes it.
"""

import flint

PRECISION = 192
"""Bits. Balls say by themselves where these do not do."""

flint.ctx.prec = PRECISION
