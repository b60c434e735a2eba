"""predict.py: from pictures to masks, with reading, the model and writing at the same time."""
