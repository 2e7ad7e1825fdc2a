"""What the engine checks of every edit before it is sent, whichever policy made it."""
