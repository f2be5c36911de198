"""Sandbox GitHub: REST and GraphQL over the world. Imports the world and the middleware only."""
