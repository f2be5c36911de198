"""Sandbox GitLab: REST and GraphQL over the world. Imports `connectors.sandbox.world` and its middleware only."""
