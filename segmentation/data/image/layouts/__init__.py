"""One reader for each layout of image data sets."""
