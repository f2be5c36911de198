"""Back-test: replay a history, ask every method at fixed times, and score the answers.

It may import `sync.model`, `sync.history`, `sync.forecast`, `sync.health`, and read files; not `sync.assess`.
"""
