"""Floor 1: how a trained model is asked: tiles, views, their blending; pure functions."""
