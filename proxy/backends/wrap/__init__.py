"""Backends around backends: whatever loops, waits or shares."""
