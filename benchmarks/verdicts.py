"""Do the verdicts of `diagnose` agree with reference draws? Six posteriors, good fits and poor ones.

    python benchmarks/verdicts.py [--seeds 2] [posterior ...]

For every fit: the verdict without the reference draws, the verdict by them, what k̂ alone would have
said (use it, perhaps after importance resampling, if it is below its threshold), and what is wrong by the
reference draws: the worst coordinate of the fit itself and of its weighted draws.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from kl_plugins.variational import diagnose, fit
from kl_plugins.variational.evidence.moments import compare_moments
from posteriors import MODELS, model, pymc_draws

FITS = {
    "best mean-field": lambda seed: fit(random_seed=seed, progressbar=False),
    "best full-rank": lambda seed: fit(method="fullrank_advi", random_seed=seed, progressbar=False),
    "ADVI, 3 000 steps": lambda seed: advi("advi", 3_000, seed),
    "ADVI, 30 000 steps": lambda seed: advi("advi", 30_000, seed),
    "full-rank ADVI, 30 000 steps": lambda seed: advi("fullrank_advi", 30_000, seed),
}
COLUMNS = [
    "posterior",
    "fit",
    "seed",
    "k̂",
    "k̂ alone",
    "without reference",
    "by reference",
    "Jeffreys to optimum",
    "worst raw",
    "worst weighted",
]


def advi(method: str, steps: int, seed: int) -> Any:
    """PyMC's own fit."""
    optimizer = pm.adam(learning_rate=0.01)
    return pm.fit(steps, method=method, obj_optimizer=optimizer, progressbar=False, random_seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("posteriors", nargs="*", default=list(MODELS))
    args = parser.parse_args()
    logging.getLogger("pymc").setLevel(logging.ERROR)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    total = agreed = k_agreed = 0
    for name in args.posteriors:
        draws = pymc_draws(name)
        for seed in range(args.seeds):
            for label, make in FITS.items():
                with model(name) as built, warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = diagnose(make(seed), draws, built, random_seed=seed)
                k, truth = found.importance.k, found.verdict.level
                alone = "use" if found.importance.reliable else "reject"
                blind = found.verdict_without_reference.level
                total, agreed = total + 1, agreed + (blind == truth)
                k_agreed += (alone == "reject") == (truth == "reject")
                distance = found.distance.jeffreys if found.distance else np.nan
                mark = "" if blind == truth else " ✗"
                assert found.reference is not None
                worst = [
                    next(
                        iter(compare_moments(found.names, one, found.reference.moments, 0.1).discrepancies),
                        "–",
                    )
                    for one in (found.raw, found.weighted)
                ]
                row = [name, label, seed, k, alone, f"{blind}{mark}", truth, f"{distance:.2g} nats", *worst]
                print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(f"\n{agreed} of {total} verdicts agree with the reference draws; k̂ alone: {k_agreed}")


if __name__ == "__main__":
    main()
