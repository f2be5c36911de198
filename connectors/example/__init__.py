"""Example: the connector of a made-up tracker, from which `milesync new-connector` makes a package.

It is no type of connection. Its contract tests are those of every connector.
"""
