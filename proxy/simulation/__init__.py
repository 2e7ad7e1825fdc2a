"""A deterministic model without weights, and the cache rules of the providers.

`rules.build` gives a provider's prompt-cache rule, for the simulated backend and for replays
of recorded traces. Everything else is what `proxy.backends.simulated` answers with.
"""
