"""What the library is measured by, beside other libraries: ``python -m benchmarks`` runs all of it.

A benchmark is a module with a function ``rows``, which returns plain data. ``results.json`` keeps the rows of
all benchmarks with their commits, and the tables of README and docs are rendered from it. Each module runs
alone, too, and prints its tables: ``python -m benchmarks.speed --help`` lists its settings.
"""
