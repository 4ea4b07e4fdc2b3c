"""What a training set lacks, measured against a sample of real inputs."""
