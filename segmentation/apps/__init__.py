"""Floor 3: what the entry scripts do, each callable from a test."""
