"""Floor 0: files, devices, seeds, console and tracking; knows nothing of models or data."""
