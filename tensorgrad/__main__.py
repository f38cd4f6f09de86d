"""``python -m tensorgrad``: the command line."""

from tensorgrad.command_line.program import main

if __name__ == "__main__":
    raise SystemExit(main())
