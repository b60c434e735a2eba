"""What a check of data of any kind finds."""
