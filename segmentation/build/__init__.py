"""Floor 3: configuration to objects. Here, in apps/ and in the entry scripts is all that knows Hydra and OmegaConf."""
