"""One reader for each layout of mesh data sets."""
