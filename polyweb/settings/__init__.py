"""Settings profiles: dev, demo, test and live share base; each names only what it changes."""
