"""The table of pairs in the documentation is what its script writes, and holds what it says."""

import importlib.util
from pathlib import Path

import numpy as np

from kl_plugins import kl

DOCS = Path(__file__).parents[1] / "docs"


def load():
    spec = importlib.util.spec_from_file_location("pairs", DOCS / "pairs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_script_writes():
    assert (DOCS / "pairs.md").read_text(encoding="utf-8") == load().table(), "run python docs/pairs.py"


def test_every_distribution_is_itself_and_no_other():
    families = load().FAMILIES
    for name, frozen in families.items():
        assert kl(frozen, frozen) == 0.0, name
        assert not np.isnan(frozen.median()), name
