"""Floor 1: what every kind of data shares; each kind (image, ...) in a folder of its own."""
