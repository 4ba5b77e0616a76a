"""What operators and the scheduler ask for beside trading: reports, checks, a watchdog. Nothing here trades."""
