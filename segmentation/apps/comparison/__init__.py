"""compare.py, and the page over many runs."""
