#!/usr/bin/env python
"""Django's command line for polyweb. `./run manage ...` calls it inside the project's environment."""

import sys

from polyweb.command_line import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
