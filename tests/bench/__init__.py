"""Measurements, as ratios within one process where they can be; run by `make bench`, not by pytest."""
