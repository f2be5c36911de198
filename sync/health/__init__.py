"""Health: the rules for status, reasons, levers, definition findings, reminders and closing records. Pure.

May import `sync.forecast` and the packages below it, no I/O and no clock.
"""
