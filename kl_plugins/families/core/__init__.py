"""What the families share: bases, statistics of log densities, and the tables of names."""
