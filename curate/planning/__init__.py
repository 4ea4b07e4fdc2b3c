"""What a curation will take, told before it begins: rows, seconds, memory, disk."""
