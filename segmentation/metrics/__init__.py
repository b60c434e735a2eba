"""Floor 1: metrics: counts first, scores from counts."""
