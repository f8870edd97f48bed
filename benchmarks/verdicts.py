"""Do the verdicts of `diagnose` agree with reference draws? Six posteriors, good fits and poor ones.

For every fit: the verdict without the reference draws, the verdict by them, what k̂ alone would have
said (use it, perhaps after importance resampling, if it is below its threshold), and what is wrong by the
reference draws: the worst coordinate of the fit itself and of its weighted draws. Needs the reference draws
of posteriordb.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import pymc as pm

from benchmarks.common import TESTS, CannotRunError, Row, alone, json_number, processor_time
from kl_plugins.variational import diagnose, fit
from kl_plugins.variational.evidence.moments import compare_moments

sys.path.insert(0, str(TESTS))
import posteriors

FITS = {
    "best mean-field": lambda seed, steps: fit(random_seed=seed, progressbar=False),
    "best full-rank": lambda seed, steps: fit(method="fullrank_advi", random_seed=seed, progressbar=False),
    "ADVI, a tenth of the steps": lambda seed, steps: advi("advi", steps // 10, seed),
    "ADVI": lambda seed, steps: advi("advi", steps, seed),
    "full-rank ADVI": lambda seed, steps: advi("fullrank_advi", steps, seed),
}
QUICK = {"seeds": 1, "only": "kidiq", "steps": 500}


def advi(method: str, steps: int, seed: int) -> Any:
    """PyMC's own fit."""
    optimizer = pm.adam(learning_rate=0.01)
    return pm.fit(steps, method=method, obj_optimizer=optimizer, progressbar=False, random_seed=seed)


def worst(found: Any, moments: Any) -> str:
    """The coordinate that is furthest off by the reference draws, and by how much."""
    assert found.reference is not None
    compared = compare_moments(found.names, moments, found.reference.moments, 0.1)
    return str(next(iter(compared.discrepancies), ""))


def row(name: str, label: str, seed: int, steps: int) -> Row:
    with posteriors.model(name) as built, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = FITS[label](seed, steps)
        start = processor_time()
        found = diagnose(fitted, posteriors.pymc_draws(name), built, random_seed=seed)
    return {
        "posterior": name,
        "fit": label,
        "seed": seed,
        "steps": steps,
        "k": json_number(found.importance.k.value),
        "k_alone": "use" if found.importance.reliable else "reject",
        "without_reference": str(found.verdict_without_reference.level),
        "by_reference": str(found.verdict.level),
        "jeffreys": json_number(found.distance.jeffreys) if found.distance else None,
        "worst_raw": worst(found, found.raw),
        "worst_weighted": worst(found, found.weighted),
        "seconds": processor_time() - start,
    }


def rows(seeds: int = 1, steps: int = 30_000, only: str = "") -> list[Row]:
    """A row for each posterior, seed and kind of fit."""
    if not posteriors.ROOT.exists():
        raise CannotRunError(f"no reference draws of posteriordb ({posteriors.ROOT.name})")
    logging.getLogger("pymc").setLevel(logging.ERROR)
    names = [name for name in posteriors.MODELS if only in name]
    return [row(name, label, seed, steps) for name in names for seed in range(seeds) for label in FITS]


if __name__ == "__main__":
    alone("verdicts", rows, QUICK, __doc__)
