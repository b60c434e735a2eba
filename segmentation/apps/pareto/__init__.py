"""pareto.py."""
