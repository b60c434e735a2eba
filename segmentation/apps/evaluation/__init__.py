"""evaluate.py."""
