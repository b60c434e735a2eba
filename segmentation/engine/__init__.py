"""Floor 2: training and evaluation, ignorant of what the samples are."""
