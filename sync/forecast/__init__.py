"""Forecast: probabilities and dates of containers, joint milestones and dependencies, and the scores of past forecasts.

Pure. It may import `sync.model`, `sync.history` and numpy.
"""
