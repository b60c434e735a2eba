"""Networks for meshes: numbers and pixels of each face in, logits of each face out."""
