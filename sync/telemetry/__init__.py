"""Structured logs with redacted secrets, and OpenTelemetry traces.

It may import no other package of `sync`; every package may import it.
"""
