"""Triangle meshes with a class for each face: reading, clustering, augmenting and batching."""
