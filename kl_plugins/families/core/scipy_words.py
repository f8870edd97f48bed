"""What SciPy calls parameters of our families that have other names, or are made of several of its own."""

from __future__ import annotations

from kl_plugins.families.core.pymc_words import Words

scipy_words: dict[str, Words] = {
    "burr": {"power": "c"},
    "burr12": {"power": "c"},
    "exponweib": {"power": "c"},
    "jf_skew_t": {"scale": ("scale", "scale·√(a + b)")},
    "mielke": {"power": "s"},
    "truncweibull_min": {"power": "c"},
}
"""By the name of the distribution in ``scipy.stats``."""
