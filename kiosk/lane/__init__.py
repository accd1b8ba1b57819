"""The one interpreter: runs `step`, journals, performs effects, keeps the clock and the ids."""
