"""Floor 1: networks, written for one device."""
