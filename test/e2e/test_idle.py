"""An idle server: no writes, few wake-ups, little memory."""
