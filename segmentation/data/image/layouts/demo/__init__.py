"""Street scenes drawn by the project itself: data for a first run."""
