"""The GPUs of this machine, asked by a child process with a deadline."""
