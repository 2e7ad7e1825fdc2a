"""What goes over the wire, sans-IO."""
