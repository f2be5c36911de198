"""Three trackers on loopback in one stateful world: for the demo, for newcomers who want to play, and for tests."""
