"""check.py and augmentations.py: data, before it costs a run."""
