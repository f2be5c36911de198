"""Sandbox Jira, both dialects: REST over the world. Imports the world and the middleware only."""
