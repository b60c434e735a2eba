"""How masks are stored and decoded into class ids."""
