"""Recorded traces run offline through the engine, priced beside other ways to send them."""
