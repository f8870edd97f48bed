"""What SciPy calls parameters of our families that have other names, or are made of several of its own."""

from __future__ import annotations

from kl_plugins.families.core.pymc_words import Words

_URN: Words = {"good": ("n", "the good ones"), "bad": ("M − n", "the bad ones")}

scipy_words: dict[str, Words] = {
    "boltzmann": {"n": ("N", "the number of outcomes")},
    "burr": {"power": "c"},
    "burr12": {"power": "c"},
    "exponweib": {"power": "c"},
    "hypergeom": _URN,
    "jf_skew_t": {"scale": ("scale", "scale·√(a + b)")},
    "mielke": {"power": "s"},
    "nchypergeom_fisher": _URN,
    "nchypergeom_wallenius": _URN,
    "randint": {"n": ("high − low", "the number of outcomes")},
    "triang": {"mode": "c"},
    "truncweibull_min": {"power": "c"},
    "yulesimon": {"a": "alpha"},
}
"""By the name of the distribution in ``scipy.stats``."""
