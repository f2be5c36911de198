"""Sandbox Jira, both dialects: REST over the world. Imports `connectors.sandbox.world` and its middleware only."""
