"""What is written of a prediction: one file a kind of result. Nothing here needs PyTorch."""
