"""What the compression policies are made of."""
