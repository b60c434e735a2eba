"""Images with label pictures: reading, augmenting, batching and drawing."""
