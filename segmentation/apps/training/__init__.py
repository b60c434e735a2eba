"""train.py and schedule.py."""
