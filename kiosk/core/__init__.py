"""The checkout as pure functions: events in, state and effects out. No file, clock, randomness or network."""
