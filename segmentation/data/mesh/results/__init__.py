"""What is written of a prediction on meshes."""
