"""The order of steps (pull, assess, plan, apply), and what surrounds a run: doctor, adoption, retirement, metrics.

It may import every package of `sync` except `sync.worker` and `sync.cli`.
"""
