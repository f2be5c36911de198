"""``python -m sync``: the same as the command `milesync`."""

from milesync import main

if __name__ == "__main__":
    main()
