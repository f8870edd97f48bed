"""Writes the table of reference values, ``tests/reference/univariate_kl.csv``, when it is run.

`enclosures` says how they are proved. Rows that the table has already are kept as they are; ``--anew``
encloses all of them again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> None:
    sys.path[:0] = [str(Path(__file__).parents[1] / "docs")]
    from enclosures import rows

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--anew", action="store_true", help="enclose rows again that the table has already")
    known = set() if parser.parse_args().anew or not rows.TABLE.exists() else set(rows.read())
    values = {row.pair: row for row in known}
    found: dict[object, rows.Row] = {}
    for row in rows.pairs():
        filled = found.get(row.pair) or values.get(row.pair) or rows.filled(row)
        if filled is not None:
            found[row.pair] = filled
    rows.write(list(found.values()))
    print(f"{len(found)} rows, {rows.TABLE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
