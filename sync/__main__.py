"""``python -m sync``: the same as the command `milesync`."""

from milesync import main

main()
