"""What can be sent a call."""
