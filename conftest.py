"""Which files are collected where: those about pymc-extras need an environment with it, for it pins PyMC."""

from importlib.util import find_spec

ABOUT_PYMC_EXTRAS = [
    "docs/tutorials/trainer.md",
    "kl_plugins/variational/target/guides.py",
    "kl_plugins/variational/target/trainers.py",
    "tests/plugins/test_pymc_extras.py",
    "tests/variational/test_trainer.py",
]
"""`.ci/run` has such an environment, and fails unless these are run there."""

collect_ignore = [] if find_spec("pymc_extras") else ABOUT_PYMC_EXTRAS
