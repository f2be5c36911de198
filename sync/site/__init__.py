"""The static report: pages that need no server, for those who would rather look than read.

`gather` reads what is shown, `build` writes it; `build` and `charts` need the extra ``site``.
"""
