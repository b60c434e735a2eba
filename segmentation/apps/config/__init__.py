"""The configuration is checked as a whole before anything is built, and all faults are told together."""
