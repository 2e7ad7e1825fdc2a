"""What a provider's prompt cache should hold of a request, and why it may hold less."""
