"""What the prefix policies are made of."""
