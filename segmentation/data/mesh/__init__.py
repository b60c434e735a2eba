"""Triangle meshes with a class for each face: reading, clustering, augmenting, batching and drawing."""
