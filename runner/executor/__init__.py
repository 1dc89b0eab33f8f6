"""The executor decides policy: what runs when, retries, timeouts, when to stop. No backend does.

Nothing is imported here: what only needs `capacity` must not load the event loop.
"""
