"""What training makes of an image and its mask."""
