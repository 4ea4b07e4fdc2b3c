"""What came while nobody pressed a key: from events and records only."""
