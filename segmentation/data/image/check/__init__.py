"""What is wrong with a data set of images: a look at each sample, then findings from what was seen."""
