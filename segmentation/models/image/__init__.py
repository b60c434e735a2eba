"""Networks for images: raw pixels in, logits of the same height and width out."""
