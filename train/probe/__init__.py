"""`train.tempering.probe`: a small evaluation while training, and which step it picks."""
