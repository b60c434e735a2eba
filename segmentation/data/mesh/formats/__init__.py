"""The files that meshes and what belongs to their faces are stored in."""
