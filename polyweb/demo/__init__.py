"""The embedded profile in one command: web, engine, Celery and a market to trade in, on this machine alone."""
