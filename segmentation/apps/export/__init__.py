"""export.py."""
