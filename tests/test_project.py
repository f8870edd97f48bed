"""What the project says of itself in several files agrees."""

import re
import tomllib
from pathlib import Path

import kl_plugins

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version():
    """That of the package, of the citation and of the newest release in the changelog, with its date."""
    version, date = re.search(r"^## \[(\d[^]]*)\] - (\S+)$", read("CHANGELOG.md"), re.MULTILINE).groups()
    citation = read("CITATION.cff").splitlines()
    assert version == kl_plugins.__version__
    assert {f"version: {version}", f"date-released: {date}"} <= set(citation)


def test_the_versions_of_python_are_those_that_are_tested():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    stated = [name.rpartition(" ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    tested = re.search(r"python: (\[.*\])", read(".github/workflows/ci.yml")).group(1)
    assert stated == re.findall(r"3\.\d+", tested)
    assert project["requires-python"] == f">={stated[0]}"
