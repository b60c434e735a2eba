"""What is wrong with a data set of meshes: a look at each sample, then findings from what was seen."""
