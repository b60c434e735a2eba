"""Semantic segmentation experiments: plain PyTorch objects, composed by Hydra, trained by one readable loop."""
