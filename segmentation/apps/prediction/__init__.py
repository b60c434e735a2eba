"""predict.py: from pictures and meshes to classes, with reading, the model and writing at the same time."""
