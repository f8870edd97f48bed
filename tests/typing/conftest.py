"""`test_user_code` runs what users write: collecting doctests would run it too, and register its names."""

collect_ignore_glob = ["user_code*.py", "without_*.py"]
