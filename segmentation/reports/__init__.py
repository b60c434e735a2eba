"""Floor 1: from what a run folder holds to tables and pictures."""
