"""The command line of Aviary; `python run.py --help` lists its verbs."""

import sys

from aviary.commands.parse import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
